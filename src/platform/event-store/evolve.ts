/** How the mapped types of a decider or a fold become a function over any event of theirs. */
import type { Event, Evolve, Meta } from '../decider.ts';

/** An `Evolve` as one function. */
export const evolve =
  <State, E extends Event, Birth extends E['type']>(handlers: Evolve<State, E, Birth>) =>
  (state: State | undefined, event: E, meta: Meta): State => {
    if (state === undefined) {
      const start = handlerOf<(event: E, meta: Meta) => State>(handlers.starts, event.type);
      if (start === undefined)
        throw new Error(`a stream cannot begin with ${event.type} (${meta.streamId}@${meta.version})`);
      return start(event, meta);
    }
    const next = handlerOf<(state: State, event: E, meta: Meta) => State>(handlers.continues, event.type);
    if (next === undefined) throw new Error(`${event.type} cannot follow in ${meta.streamId}@${meta.version}`);
    return next(state, event, meta);
  };

/** The mapped types promise that the handler of a type takes that type; a look-up by a variable forgets it. */
const handlerOf = <Handler>(handlers: object, type: string): Handler | undefined =>
  (handlers as Readonly<Record<string, Handler>>)[type];
