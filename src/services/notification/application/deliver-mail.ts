/**
 * A mail that is due, and ours for a while: an attempt to send it, and what came of it as an event.
 *
 *   claimed ──rendered, sent──► accepted, refused or failed ──► settled, and the claim ends, in one commit
 *
 * It is never lost, for until that commit it is due. It is sent twice only when this process dies, or is held up past its
 * lease, between the acceptance and that commit; then under the same Message-ID. A database that is away just then is
 * waited for: nobody else can claim the mail meanwhile.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { NotificationId, NotificationRequested } from '#contracts/notification.ts';
import type { Instant } from '#contracts/schema.ts';
import { causedBy, inTrace } from '#platform/commit/caused.ts';
import { type CommandKit, carryOut, plansOf } from '#platform/commit/command-handler.ts';
import { WITHDRAWN } from '#platform/commit/outcome.ts';
import { loadedFrom, plan } from '#platform/commit/plan.ts';
import { type RecordedEvent, streamName } from '#platform/event-store/event.ts';
import { eventsOf } from '#platform/event-store/store.ts';
import { refusalOf } from '#platform/resilience/refusal.ts';
import type { Claim } from '#platform/scheduling/claims.ts';
import { scheduleRow } from '#platform/scheduling/schedule.ts';
import type { Work } from '#platform/scheduling/worker.ts';
import type { Database } from '#platform/sql/database.ts';
import type { Logger } from '#platform/telemetry/logger.ts';
import { type Span, traced } from '#platform/telemetry/tracing.ts';
import { type AttemptOutcome, nextDue } from '../domain/mail.ts';
import type { MailEvent } from '../events.ts';
import { MailRefused, type MailTransport, type Sender } from '../infrastructure/mail-transport.ts';
import type { MailRow } from '../read-models/mail-list.ts';
import { findPerson } from '../read-models/person.ts';
import { render } from '../templates/render.ts';
import { mails } from './aggregates.ts';

export type DeliverPorts = {
  readonly commands: CommandKit;
  readonly database: Database;
  readonly transport: MailTransport;
  readonly from: Sender;
  /** Where this installation is: what links lead to, and whose Message-IDs these are. */
  readonly home: string;
  /** ms for which a mail is claimed; half of it at least is left when it is begun. */
  readonly lease: number;
  readonly failPoint: (name: string) => void;
  readonly logger: Logger;
  /** Given when the process stops: nothing is waited for any more. */
  readonly stopping: AbortSignal;
};

const ACTOR = 'notification-service';
export const LEASE = 25_000;
/** Claims in a row of which none was settled: a mail that kills its worker again and again is given up. */
export const MOST_CLAIMS = 20;
const PAUSE = 100;

export const deliverMail =
  (ports: DeliverPorts): Work['run'] =>
  async (claim) => {
    const began = performance.now();
    const { commands } = ports;
    const stream = streamName(mails.streamPrefix, claim.id);
    const past = eventsOf<MailEvent>(await commands.store.load(stream));
    const { state, version } = loadedFrom(mails, past);
    const [birth, newest] = [past[0], past.at(-1)];
    const dueAt = state === undefined ? null : nextDue(state);
    if (birth?.event.type !== 'notification.requested' || !newest || dueAt === null || isBefore(claim.now, dueAt))
      return notDue(commands, claim, stream, dueAt, version);

    const requested = birth.event;
    await traced('job mail', { kind: 'consumer', parent: newest.metadata.traceparent }, async (span) => {
      const outcome = await attempt(ports, claim, requested, span, began + ports.lease / 2);
      if (outcome === 'not-ours') return;
      span.set({ 'taskwire.outcome': outcome.kind });
      if (outcome.kind === 'accepted') ports.failPoint('after-smtp');
      const now = later(claim.now, performance.now() - began);
      await settle(ports, claim, newest, outcome, now, span);
    });
  };

/** The schedule said otherwise than the stream: it is set right, and nothing is sent. */
const notDue = async (
  { executor }: CommandKit,
  { id, release }: Claim,
  stream: string,
  dueAt: Instant | null,
  version: number,
): Promise<void> => {
  const right = scheduleRow(dueAt, { id, version, streamPrefix: mails.streamPrefix });
  const appends = [{ stream, expected: version, events: [] }];
  await executor.commit({ appends, writes: [right, release], take: [], release: [], idempotency: undefined });
};

/** `end`: by performance.now(), when it is over; later somebody else may be at it. What it reads first may be slow. */
const attempt = async (
  { database, transport, from, home }: DeliverPorts,
  claim: Claim,
  { data: { recipientId, rule, params } }: NotificationRequested,
  { traceparent: parent }: Span,
  end: number,
): Promise<AttemptOutcome | 'not-ours'> => {
  if (claim.claims > MOST_CLAIMS) return { kind: 'abandoned', code: 'worker-lost' };
  const person = await findPerson(database, recipientId);
  const to = person?.email ?? null;
  // Tasks and people are heard of by themselves: whose task it is may be known before who that is.
  if (person === undefined || to === null) return { kind: 'failed', provider: null, code: 'recipient-unknown' };
  const letter = render(rule, params, person, home);
  const messageId = messageIdOf(claim.id as NotificationId, home); // a stream's name was made from it
  if (!(await claim.isHeld())) return 'not-ours';
  const { provider } = transport;
  const left = AbortSignal.timeout(Math.max(1, Math.floor(end - performance.now())));
  try {
    await traced('send mail', { kind: 'client', parent, attributes: { 'taskwire.mail.provider': provider } }, () =>
      transport.send({ messageId, from, to, ...letter }, left),
    );
    return { kind: 'accepted', provider };
  } catch (error) {
    if (!(error instanceof MailRefused)) throw error;
    return error.kind === 'permanent'
      ? { kind: 'refused', code: error.code }
      : { kind: 'failed', provider, code: error.code };
  }
};

/** The same for the same mail, however often it is sent. */
const messageIdOf = (id: NotificationId, home: string): string => `<${id}@${new URL(home).hostname}>`;

const settle = async (
  { commands, logger, stopping }: DeliverPorts,
  claim: Claim,
  newest: RecordedEvent<MailEvent>,
  outcome: AttemptOutcome,
  now: Instant,
  span: Span,
): Promise<void> => {
  const command = { type: 'SettleMail', outcome, now, jitter: Math.random() } as const;
  const stream = streamName(mails.streamPrefix, claim.id);
  for (;;) {
    try {
      const context = inTrace(causedBy(newest, ACTOR), span);
      const done = await carryOut(commands, command.type, [stream], {}, async () => {
        if (!(await claim.isHeld())) return WITHDRAWN; // whoever has it now settles it
        const planned = await plan(commands, mails, claim.id, command, context);
        return planned.kind === 'plan' ? { ...plansOf(planned), writes: [claim.release] } : planned;
      });
      if (done.kind === 'done') tell(logger, stream, done.row);
      return; // else it was settled before, or is another's by now
    } catch (error) {
      if (refusalOf(error) === undefined || stopping.aborted) throw error;
      await pause(PAUSE);
    }
  }
};

/** A mail server that takes nothing is seen in the log, whoever looks there first. */
const tell = (logger: Logger, stream: string, { status, attempts, lastCode }: MailRow): void => {
  const what = { stream, code: lastCode ?? undefined, count: attempts };
  if (status === 'waiting') logger.warn('a mail was not accepted, and is tried again later', what);
  if (status === 'failed') logger.error('a mail is given up', what);
};

const isBefore = (one: Instant, other: Instant): boolean => Date.parse(one) < Date.parse(other);
const later = (instant: Instant, ms: number): Instant => new Date(Date.parse(instant) + ms).toISOString();
