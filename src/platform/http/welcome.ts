/** What a browser finds at the root: where to go from here. */
import { type Html, html } from './html.ts';
import { page } from './page.ts';
import type { HttpApp } from './server.ts';

/** Where else to go, in a service's own words. */
export type Entry = { readonly href: string; readonly words: string };

export type Welcome = {
  /** What this is, and how one begins. */
  readonly about: string;
  readonly beginning: Html;
  /** Asked for each visit, for what is there may come and go. */
  readonly entries: () => Promise<readonly Entry[]>;
};

/** Mounts the front page at /, for everybody. */
export const serveWelcome = (app: HttpApp, { about, beginning, entries }: Welcome): void => {
  app.get('/', { config: { access: 'public' }, schema: { hide: true } }, async (_request, reply) => {
    const more = (await entries()).map(({ href, words }) => html`<li><a href="${href}">${words}</a></li>\n`);
    const body = html`<p>${about} It runs.</p>
<ul><li><a href="/docs">The API, to read and to try</a> (<a href="/openapi.json">OpenAPI 3.1</a>)</li>
<li><a href="/docs/events">What the services tell each other</a> (<a href="/asyncapi.json">AsyncAPI 3</a>)</li>
${more}<li><a href="/health">How it is</a></li><li><a href="/problems">What its refusals mean</a></li></ul>
${beginning}`;
    return reply.type('text/html').send(page('Welcome', body.markup));
  });
};
