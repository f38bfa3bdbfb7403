/** Mails through a real, slow mail server, while everything is killed in the middle of sending. */
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../../support/until.ts';
import { atLeast, atMost, type Control, control, type Figures, NONE, scenario } from '../kit/scenario.ts';
import { drained, EFFECTS_KEPT } from '../load/effects.ts';
import { type Attempt, openMailServer } from '../load/mail-server.ts';
import { startPeople } from '../load/people.ts';
import { productOn } from '../load/product.ts';

const KILLS = { short: 6, full: 32 };
/** After so many kills a process lives until all is sent: what the dead had claimed is taken over then. */
const QUIET_AFTER = 8;
/** ms for which the work of a dead worker may lie. */
const TAKEOVER = 30_000;
/** ms after an acceptance in which its commit may still be under way. */
const WINDOW = 1_000;

/** More than the killed ones get through. */
const MAILS = 60;
/** A loop over what is not sent yet, killed like ours: see naive/mailer.ts. */
const naiveMailer = (name: string, habit: string, shows: string): Control =>
  control(name, {
    shows,
    run: async ({ world, chance: { between } }) => {
      const server = await openMailServer(() => between(50, 150));
      try {
        const { address, sql } = await world.emptyDatabase();
        await sql(
          'create table naive_mail (id serial primary key, recipient text, sent boolean not null default false)',
        );
        await sql(`insert into naive_mail (recipient) select n || '@example.org' from generate_series(1, ${MAILS}) n`);
        const env = { DATABASE: JSON.stringify(address), HABIT: habit, SMTP_URL: server.url };
        const killed: number[] = [];
        for (let kill = 1; kill <= 6; kill += 1) {
          const mailer = world.program('tests/guarantees/naive/mailer.ts', [], { env });
          const begun = server.attempts.length;
          await until('a mail to be sent', () => server.attempts.length > begun);
          await pause(between(0, 300));
          mailer.signal('SIGKILL');
          await mailer.exit;
          killed.push(performance.now());
        }
        await world.program('tests/guarantees/naive/mailer.ts', [], { env }).exit;
        const sent = (await sql('select from naive_mail where sent')).length;
        return {
          kills: killed.length,
          ...mailFigures(server.attempts, killed),
          'mails noted and not taken': sent - taken(server.attempts).size,
        };
      } finally {
        await server.close();
      }
    },
  });

export const mails = scenario('mails', {
  promise:
    'no mail is lost, and one is sent twice only when a worker died while it sent it, under the same Message-ID, within 30 s',
  run: async ({ world, form, chance: { between }, report }) => {
    const server = await openMailServer(() => between(100, 900));
    try {
      const installation = await world.install({ SMTP_URL: server.url });
      const product = productOn(installation);
      const people = startPeople(100);
      const killed: number[] = [];
      for (let kill = 1; kill <= KILLS[form]; kill += 1) {
        // Every third dies just after an acceptance, before it can be noted; the others at any moment of a send.
        const atAcceptance = kill % 3 === 0;
        const process = await product.start(atAcceptance ? `after-smtp:${between(1, 5)}` : undefined);
        people.moveTo(process.url);
        const begun = server.attempts.length;
        if (!atAcceptance) {
          await until('a mail to be sent', () => server.attempts.length > begun, 60_000);
          await pause(between(0, 900));
          process.signal('SIGKILL');
        }
        await until(`kill ${kill}`, () => !process.running(), 60_000);
        killed.push(performance.now());
        if (kill % QUIET_AFTER === 0) {
          const quiet = await product.start();
          people.moveTo(undefined);
          await drained(installation.sql, 60_000);
          quiet.signal('SIGKILL');
          await quiet.exit;
          killed.push(performance.now());
        }
        report(`killed ${kill} of ${KILLS[form]} times, ${server.attempts.length} mails begun`);
      }
      const last = await product.start();
      people.moveTo(last.url);
      await pause(2_000);
      await people.stop();
      const followed = await drained(installation.sql, 60_000);
      await pause(1_000); // what is twice would come about now
      const [sent] = await installation.sql<{ count: number }>(
        `select count(*)::integer as count from notification_service.event where type = 'notification.sent'`,
      );
      last.signal('SIGKILL');
      await last.exit;
      return {
        kills: killed.length,
        'people who registered': people.acknowledged.length,
        'mails noted as sent': sent?.count ?? Number.NaN,
        ...mailFigures(server.attempts, killed),
        'mails noted and not taken': (sent?.count ?? 0) - taken(server.attempts).size,
        ...followed,
      };
    } finally {
      await server.close();
    }
  },
  bounds: (form) => ({
    ...EFFECTS_KEPT,
    kills: atLeast(KILLS[form]),
    'mails noted as sent': atLeast(20),
    'mails noted and not taken': NONE,
    'mails twice outside the send window': NONE,
    'twins with another Message-ID': NONE,
    'sends that a kill interrupted': atLeast(2),
    'mails taken twice': atLeast(1), // a kill after the acceptance was among them
    'longest takeover, ms': atMost(TAKEOVER),
  }),
  controls: [
    naiveMailer('a mailer that notes before it sends', 'notes-first', 'mails noted and not taken'),
    naiveMailer('a mailer that makes a new Message-ID at each try', 'new-ids', 'twins with another Message-ID'),
  ],
});

const taken = (attempts: readonly Attempt[]) =>
  new Set(attempts.filter(({ accepted }) => accepted !== undefined).map(({ mail }) => mail));

const mailFigures = (attempts: readonly Attempt[], kills: readonly number[]): Figures => {
  const byMail = [...Map.groupBy(attempts, ({ mail }) => mail).values()];
  /** The kill while this attempt was under way, its commit included. */
  const killOf = ({ began, accepted = Number.POSITIVE_INFINITY }: Attempt) =>
    kills.find((kill) => kill >= began && kill <= accepted + WINDOW);
  let [twice, outside, interrupted, takeover] = [0, 0, 0, 0];
  for (const ours of byMail) {
    twice += Math.max(0, ours.filter(({ accepted }) => accepted !== undefined).length - 1);
    for (const [n, attempt] of ours.entries()) {
      const next = ours[n + 1];
      const kill = killOf(attempt);
      if (kill !== undefined) interrupted += 1;
      if (next === undefined) continue;
      if (kill === undefined) outside += 1;
      else takeover = Math.max(takeover, next.began - (kills.findLast((one) => one < next.began) ?? kill));
    }
  }
  return {
    'mails begun': attempts.length,
    'sends that a kill interrupted': interrupted,
    'mails taken twice': twice,
    'mails twice outside the send window': outside,
    'twins with another Message-ID': byMail.filter((ours) => new Set(ours.map(({ messageId }) => messageId)).size > 1)
      .length,
    'longest takeover, ms': Math.round(takeover),
  };
};
