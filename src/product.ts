/** What this product says of itself, wherever it is met: to people, and in its descriptions. */
import { type Html, html } from '#platform/http/html.ts';

export const PRODUCT = { title: 'Taskwire', version: '0.1.0' } as const;

export const ABOUT = 'Users, tasks and notifications as event-sourced services.';

export const API = `${ABOUT}

- Send \`Authorization: Bearer <accessToken>\`; \`POST /api/v1/auth/login\` answers one.
- Every single resource has an \`ETag\`, the version of it; send it back as \`If-Match\` to change only what you saw.
- Send an \`Idempotency-Key\` with a write, and repeating it is safe for 24 hours.
- A write answers a \`Consistency-Token\`; send it with a read of any service, and it shows what came of that write.
- Say in \`X-Deadline-Ms\` how long you will wait: what comes to its turn later is not begun, and answered 503 or 504.
- A PATCH is a merge-patch: \`null\` clears a field. \`due\` is one value, replaced whole.
- Every refusal is a problem document; [its code](/problems) says what to do about it.`;

export const TAGS = [
  { name: 'users', description: 'Who somebody is. Logging in answers the access token that everything else asks for.' },
  { name: 'tasks', description: 'What somebody means to do. Another person’s task is an absent one.' },
  { name: 'categories', description: 'Where tasks belong.' },
  { name: 'dashboard', description: 'What the services know of somebody, on one page.' },
  { name: 'inbox', description: 'What somebody was told. An entry comes by itself, shortly after what it tells of.' },
  { name: 'mailbox', description: 'Mails that nobody carries, for trying things out: only without SMTP_URL.' },
];

export const EVENTS = 'What the services tell each other.';

/** How one begins by hand, at the address where this is reached. */
export const beginning = (url: string): Html => html`<p>Register, log in, create a task:</p>
<pre>curl -s ${url}/api/v1/auth/register -H 'content-type: application/json' \\
  -d '{"email":"ada@example.org","username":"ada","password":"correct horse battery"}'
TOKEN=$(curl -s ${url}/api/v1/auth/login -H 'content-type: application/json' \\
  -d '{"email":"ada@example.org","password":"correct horse battery"}' | sed 's/.*"accessToken":"\\([^"]*\\).*/\\1/')
curl -s ${url}/api/v1/tasks -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' \\
  -d '{"title":"Water the plants"}'</pre>`;
