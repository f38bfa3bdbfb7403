/** The events' own description, beside that of the API: AsyncAPI for machines, a page for people. */
import { asyncApi, type EventsDescription } from './asyncapi.ts';
import { eventPage } from './event-page.ts';
import type { HttpApp } from './server.ts';

/** Serves `/asyncapi.json` and `/docs/events`. */
export const serveEventDocs = (app: HttpApp, describe: () => Promise<EventsDescription>): void => {
  const hidden = { config: { access: 'public' as const }, schema: { hide: true } };
  app.get('/asyncapi.json', hidden, async () => asyncApi(await describe()));
  app.get('/docs/events', hidden, async (_request, reply) => reply.type('text/html').send(eventPage(await describe())));
};
