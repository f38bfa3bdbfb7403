/** What this product says of itself, wherever its API is described. */
export const PRODUCT = { title: 'Taskwire', version: '0.1.0' } as const;

export const API = `Users and tasks as event-sourced services.

- Send \`Authorization: Bearer <accessToken>\`; \`POST /api/v1/auth/login\` answers one.
- Every single resource has an \`ETag\`, the version of it; send it back as \`If-Match\` to change only what you saw.
- Send an \`Idempotency-Key\` with a write, and repeating it is safe for 24 hours.
- A write answers a \`Consistency-Token\`; send it with a read of any service, and it shows what came of that write.
- A PATCH is a merge-patch: \`null\` clears a field. \`due\` is one value, replaced whole.
- Every refusal is a problem document; [its code](/problems) says what to do about it.`;

export const EVENTS = 'What the services tell each other.';
