/** given events, when a command, then events or a rejection: the sentence in which every decider is tested. */
import { deepStrictEqual } from 'node:assert/strict';
import { type Decider, type Event, isRejection, type Meta } from '../decider.ts';
import { evolve } from '../event-store/evolve.ts';

export type Then<E extends Event, Code extends string> = {
  thenEmits(...events: readonly E[]): void;
  thenNothing(): void;
  thenRejected(code: Code): void;
};

/** A decider's tests; `meta` of the nth event is made up, for no decision may rest on a clock of its own. */
export const scenario = <State, Command, E extends Event, Code extends string, Birth extends E['type']>(
  decider: Decider<State, Command, E, Code, Birth>,
) => ({
  given: (...past: readonly E[]) => ({
    when: (command: Command): Then<E, Code> => {
      const decision = decider.decide(stateAfter(decider, past), command);
      return {
        thenEmits: (...events) => deepStrictEqual(decision, events),
        thenNothing: () => deepStrictEqual(decision, []),
        thenRejected: (code) => deepStrictEqual(isRejection(decision) ? decision.rejected : decision, code),
      };
    },
  }),
});

/** The state after some events of one stream; undefined after none. */
export const stateAfter = <State, Command, E extends Event, Code extends string, Birth extends E['type']>(
  decider: Decider<State, Command, E, Code, Birth>,
  events: readonly E[],
): State | undefined => {
  const step = evolve(decider);
  return events.reduce<State | undefined>((state, event, n) => step(state, event, metaOf(n + 1)), undefined);
};

/** Metadata of the event at this version, the same in every run: one stream, one actor, a second between versions. */
export const metaOf = (version: number): Meta => ({
  streamId: '01939d5e-0000-7000-8000-0000000000aa',
  version,
  occurredAt: new Date(Date.UTC(2026, 0, 1, 0, 0, version)).toISOString(),
  actor: '01939d5e-0000-7000-8000-000000000001',
});
