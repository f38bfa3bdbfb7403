/** The notification service: who is told what, on which way, and what became of it. */
import { fileURLToPath } from 'node:url';
import { EVENT_REGISTRY } from '#contracts/registry.ts';
import { hearingsOf, openCatchUp } from '#platform/event-bus/consistency.ts';
import { openConsumers } from '#platform/event-bus/consumers.ts';
import { compileCatalog } from '#platform/event-store/catalog.ts';
import { createCursorCodec } from '#platform/http/cursor.ts';
import type { Opening, Service } from '#platform/lifecycle/service.ts';
import { openServiceKit } from '#platform/lifecycle/service-kit.ts';
import { inlineReadModel } from '#platform/read-models/inline.ts';
import { startWorker, type Worker } from '#platform/scheduling/worker.ts';
import { inboxEntries, mails } from './application/aggregates.ts';
import { CONSUMERS } from './application/consumers.ts';
import { deliverMail, LEASE } from './application/deliver-mail.ts';
import { EVENTS } from './events.ts';
import { inboxRoutes } from './http/inbox-routes.ts';
import { mailHealth } from './http/mail-health.ts';
import { MAILBOX, mailboxPages } from './http/mailbox-pages.ts';
import { mailboxRoutes } from './http/mailbox-routes.ts';
import { inboxProblems, mailboxProblems } from './http/problems.ts';
import { senderOf } from './infrastructure/mail-transport.ts';
import { createMailboxTransport } from './infrastructure/mailbox.ts';
import { createSmtpTransport } from './infrastructure/smtp.ts';

export const NOTIFICATION_SERVICE = {
  name: 'notification',
  settings: 'NOTIFICATION',
  schema: 'notification_service',
  registry: EVENTS,
  migrations: fileURLToPath(new URL('./migrations', import.meta.url)),
  readModels: [inlineReadModel(mails), inlineReadModel(inboxEntries)],
  otherTables: ['dev_mailbox'],
  consumers: CONSUMERS,
} as const;

/** Mails on their way at once: each holds a connection to the mail server. */
const MAILS_AT_ONCE = 8;

export const openNotificationService = async (opening: Opening<'masterKey'>): Promise<Service> => {
  const { config, secrets, where, bus, logger } = opening;
  const kit = openServiceKit({ ...NOTIFICATION_SERVICE, ...where, masterKey: secrets.masterKey });
  const { database } = kit;
  const catalog = compileCatalog(EVENT_REGISTRY);
  const consumers = openConsumers({ ...kit, bus, catalog, consumers: CONSUMERS, logger });
  const { SMTP_URL, MAIL_FROM, PUBLIC_URL: home } = config;
  const transport = SMTP_URL === undefined ? createMailboxTransport(database) : createSmtpTransport(SMTP_URL);
  const stopping = new AbortController();
  const from = senderOf(MAIL_FROM);
  const run = deliverMail({ ...kit, transport, from, home, lease: LEASE, logger, stopping: stopping.signal });
  const work = { streamPrefix: mails.streamPrefix, lease: LEASE, atOnce: MAILS_AT_ONCE, run };
  let worker: Worker | undefined;

  const ports = { ...kit, cursors: createCursorCodec(secrets.masterKey) };
  return {
    ...NOTIFICATION_SERVICE,
    routes: (app) => {
      inboxRoutes(ports)(app);
      if (SMTP_URL === undefined) mailboxRoutes(ports)(app);
    },
    ...(SMTP_URL === undefined && {
      pages: { routes: mailboxPages(database), entry: { href: MAILBOX, words: 'The mails that were sent' } },
    }),
    problems: { ...inboxProblems, ...mailboxProblems },
    health: kit.health,
    duties: { mails: mailHealth(database) },
    consumers: consumers.health,
    catchUp: openCatchUp(database, kit.committed, hearingsOf(catalog, CONSUMERS)),
    background: {
      start: async () => {
        await consumers.start();
        worker = startWorker({ ...kit, logger }, work);
      },
      stop: async () => {
        await Promise.all([consumers.stop(), worker?.stop()]);
        stopping.abort();
      },
    },
    close: kit.close,
  };
};
