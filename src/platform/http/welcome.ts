/** What a browser finds at the root: where to go from here. */
import { html } from './html.ts';
import { page } from './page.ts';
import type { HttpApp } from './server.ts';

/** Where else to go, in a service's own words. */
export type Entry = { readonly href: string; readonly words: string };

export const serveWelcome = (app: HttpApp, url: string, entries: readonly Entry[]): void => {
  const more = entries.map(({ href, words }) => html`\n<li><a href="${href}">${words}</a></li>`.markup).join('');
  app.get('/', { config: { access: 'public' }, schema: { hide: true } }, async (_request, reply) =>
    reply.type('text/html').send(
      page(
        'Welcome',
        `<p>Users and tasks as event-sourced services. It runs.</p>
<ul><li><a href="/docs">The API, to read and to try</a> (<a href="/openapi.json">OpenAPI 3.1</a>)</li>
<li><a href="/docs/events">What the services tell each other</a> (<a href="/asyncapi.json">AsyncAPI 3</a>)</li>${more}
<li><a href="/health">How it is</a></li><li><a href="/problems">What its refusals mean</a></li></ul>
<p>Register, log in, create a task:</p>
<pre>curl -s ${url}/api/v1/auth/register -H 'content-type: application/json' \\
  -d '{"email":"ada@example.org","username":"ada","password":"correct horse battery"}'
TOKEN=$(curl -s ${url}/api/v1/auth/login -H 'content-type: application/json' \\
  -d '{"email":"ada@example.org","password":"correct horse battery"}' | sed 's/.*"accessToken":"\\([^"]*\\).*/\\1/')
curl -s ${url}/api/v1/tasks -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' \\
  -d '{"title":"Water the plants"}'</pre>`,
      ),
    ),
  );
};
