/**
 * npm run tour: the whole story over HTTP, against a server that runs already (TASKWIRE_URL, by default
 * http://localhost:8000). Every run registers somebody new, so it may be repeated. Exit code 0 when every step was
 * answered as it says, 1 when one was not or nobody answers.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { createTeller, type Json, type Step, type Teller, TourEnded } from './teller.ts';

const PASSWORD = 'correct horse battery';

const tour = async (teller: Teller): Promise<void> => {
  const name = `ada-${randomBytes(4).toString('hex')}`;
  const ada = await comeIn(teller, 'Coming in', name);
  const { homeId, plantsUrl } = await makeThings(teller, ada);
  const token = await changeWithCare(teller, ada, plantsUrl);
  await beTold(teller, ada, name, token);
  await find(teller, ada, homeId);
  await lookBack(teller, ada, plantsUrl);
  await beRefused(teller, ada, plantsUrl);
};

/** Every later request as one person. */
type As = (step: Omit<Step, 'token'>) => ReturnType<Teller['step']>;

const comeIn = async ({ chapter, step }: Teller, title: string, name: string): Promise<As> => {
  chapter(title);
  await step({
    notice: 'Whoever registers is made: 201, where they are, and version 1 of them as the ETag.',
    method: 'POST',
    path: '/api/v1/auth/register',
    expect: 201,
    body: { email: `${name}@example.org`, username: name, password: PASSWORD },
  });
  const login = await step({
    notice: 'A login answers an access token, good for ten minutes.',
    method: 'POST',
    path: '/api/v1/auth/login',
    expect: 200,
    body: { email: `${name}@example.org`, password: PASSWORD },
  });
  const token = textOf(login.body, 'accessToken');
  const as: As = (asked) => step({ ...asked, token });
  await as({ notice: 'The access token says who asks.', method: 'GET', path: '/api/v1/me', expect: 200 });
  return as;
};

const makeThings = async ({ chapter }: Teller, as: As) => {
  chapter('Making things');
  const home = await as({
    notice: 'A category belongs to whoever made it.',
    method: 'POST',
    path: '/api/v1/categories',
    expect: 201,
    body: { name: 'Home', color: '#3366ff' },
  });
  const homeId = textOf(home.body, 'id');
  const plants = await as({
    notice: 'Due at an instant: dueAt is just that.',
    method: 'POST',
    path: '/api/v1/tasks',
    expect: 201,
    body: { title: 'Water the plants', priority: 'high', categoryId: homeId, due: { at: '2030-05-01T09:00:00Z' } },
  });
  await as({
    notice: 'Due on a day: dueAt is the end of that day in that zone (22:00 UTC is midnight in a Berlin summer).',
    method: 'POST',
    path: '/api/v1/tasks',
    expect: 201,
    body: { title: 'File the tax return', due: { date: '2030-07-31', zone: 'Europe/Berlin' } },
  });
  const key = `"tour-${randomUUID()}"`;
  const twice = {
    method: 'POST',
    path: '/api/v1/tasks',
    expect: 201,
    headers: { 'Idempotency-Key': key },
    body: { title: 'Buy a watering can', priority: 'low' },
  };
  const first = await as({ notice: 'With an Idempotency-Key …', ...twice });
  const second = await as({
    notice: '… the same request once more makes nothing: the same task comes back.',
    ...twice,
  });
  if (textOf(first.body, 'id') !== textOf(second.body, 'id')) throw new TourEnded('the key made two tasks');
  return { homeId, plantsUrl: `/api/v1/tasks/${textOf(plants.body, 'id')}` };
};

/** Answers the token of its last write: whoever reads with it finds that write done, in whatever service. */
const changeWithCare = async ({ chapter }: Teller, as: As, url: string): Promise<string> => {
  chapter('Changing with care');
  await as({
    notice: 'If-Match: only when it is still what I saw.',
    method: 'PATCH',
    path: url,
    expect: 200,
    headers: { 'If-Match': '"1"' },
    body: { priority: 'urgent' },
  });
  await as({
    notice: 'The same If-Match again is stale: 412, and changesSince tells what happened in between, and who did it.',
    method: 'PATCH',
    path: url,
    expect: 412,
    headers: { 'If-Match': '"1"' },
    body: { title: 'Water all the plants' },
  });
  await as({
    notice: 'A change that changes nothing: 200, the same ETag, and no event.',
    method: 'PATCH',
    path: url,
    expect: 200,
    body: { priority: 'urgent' },
  });
  const complete = { method: 'POST', path: `${url}/complete` };
  const done = await as({ notice: 'Done.', ...complete, expect: 200 });
  await as({ notice: 'Done twice is a refusal with a name, never silence.', ...complete, expect: 409 });
  return done.headers.get('consistency-token') ?? '';
};

const beTold = async ({ chapter, step }: Teller, as: As, name: string, token: string): Promise<void> => {
  chapter('Being told');
  await step({
    notice: 'Registering led to a mail. With no mail server named, it lies in the built-in mailbox: see /dev/mailbox.',
    method: 'GET',
    path: '/api/v1/dev/mailbox?limit=1',
    expect: 200,
    until: (body) => JSON.stringify(body).includes(`${name}@example.org`),
  });
  const headers = { 'Consistency-Token': token };
  const inbox = await as({
    notice: 'Another service heard that the task is done. With the token of that write, the read waits until it has.',
    method: 'GET',
    path: '/api/v1/inbox',
    expect: 200,
    headers,
  });
  const [entry] = itemsOf(inbox.body);
  const path = `/api/v1/inbox/${textOf(entry ?? null, 'id')}`;
  await as({ notice: 'Read.', method: 'PATCH', path, expect: 200, body: { read: true } });
  await as({ notice: 'Nothing new.', method: 'GET', path: '/api/v1/inbox/unread-count', expect: 200 });
};

const find = async ({ chapter }: Teller, as: As, homeId: string): Promise<void> => {
  chapter('Finding');
  const list = (notice: string, query: Record<string, string>) =>
    as({ notice, method: 'GET', path: `/api/v1/tasks?${new URLSearchParams(query)}`, expect: 200 });
  await list('Filters: what is done in this category.', { status: 'completed', categoryId: homeId });
  await list('Words without case or accents, each of which begins a word of title or description.', {
    q: 'WÁTER',
    sort: 'title',
  });
  const page = await list('The most pressing first, two at a time, and how many there are in all.', {
    sort: '-priority',
    limit: '2',
    count: 'true',
  });
  const cursor = textOf(page.body, 'nextCursor');
  await list('The next page goes on where that one ended.', { sort: '-priority', limit: '2', cursor });
};

const lookBack = async ({ chapter }: Teller, as: As, url: string): Promise<void> => {
  chapter('Looking back');
  await as({
    notice: 'The history is the stream itself: each event, by whom, when, in which request, from what to what.',
    method: 'GET',
    path: `${url}/history`,
    expect: 200,
  });
  await as({ notice: 'Deleted means: in the trash.', method: 'DELETE', path: url, expect: 204 });
  await as({ notice: 'There it lies, since deletedAt.', method: 'GET', path: '/api/v1/tasks/trash', expect: 200 });
  await as({ notice: 'And back, still completed.', method: 'POST', path: `${url}/restore`, expect: 200 });
};

const beRefused = async (teller: Teller, as: As, url: string): Promise<void> => {
  const eve = await comeIn(teller, 'Somebody else comes in', `eve-${randomBytes(4).toString('hex')}`);
  teller.chapter('Being refused');
  await eve({
    notice: 'Another person’s task is answered exactly as one that does not exist.',
    method: 'GET',
    path: url,
    expect: 404,
  });
  await as({
    notice: 'A bad body: every fault at once, each with its place (a JSON pointer) and a stable code.',
    method: 'POST',
    path: '/api/v1/tasks',
    expect: 422,
    body: { title: '', priority: 'whenever', due: { date: '2030-02-30', zone: 'Europe/Berlin' }, colour: 'red' },
  });
  await teller.step({
    notice: 'Without a token nobody gets past the door.',
    method: 'GET',
    path: '/api/v1/tasks',
    expect: 401,
  });
  teller.chapter('How it is');
  await teller.step({
    notice: 'Each part answers for itself.',
    method: 'GET',
    path: '/health',
    expect: 200,
  });
};

const itemsOf = (body: Json): readonly Json[] => {
  const items = typeof body === 'object' && body !== null && 'items' in body ? body.items : undefined;
  return Array.isArray(items) ? items : [];
};
const textOf = (body: Json, field: string): string => {
  const value =
    typeof body === 'object' && body !== null ? Object.entries(body).find(([name]) => name === field) : undefined;
  if (typeof value?.[1] !== 'string') throw new TourEnded(`the answer has no ${field}`);
  return value[1];
};

const url = process.env.TASKWIRE_URL ?? 'http://localhost:8000';
console.log(
  `A tour of Taskwire at ${url}: → is what is asked, ← what is answered; cut with … where it is long, nulls left out.`,
);
try {
  await tour(createTeller(url, console.log));
  console.log(`\nThat was it. Read on at ${new URL('/docs', url)}`);
} catch (error) {
  if (!(error instanceof TourEnded)) throw error;
  console.error(`\ntour: ${error.message}`);
  process.exitCode = 1;
}
