/** What somebody sees first, of all services at once. A service that is away leaves its part empty, and is named. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import Type, { type Static, type TSchema } from 'typebox';
import { HttpProblem } from '#platform/http/problems.ts';
import { AUTHENTICATED, responses } from '#platform/http/schemas.ts';
import type { HttpApp } from '#platform/http/server.ts';
import { createValidator, type InputError } from '#platform/schema/validator.ts';
import type { JsonAnswer } from './ask-json.ts';
import type { ServiceName } from './route-table.ts';

const textOrNone = Type.Union([Type.String(), Type.Null()]);
const Person = Type.Object({ id: Type.String(), username: textOrNone, displayName: textOrNone });
const DueTask = Type.Object({
  id: Type.String(),
  title: textOrNone,
  priority: Type.String(),
  dueAt: Type.String(),
});
const Tasks = Type.Object({
  open: Type.Integer(),
  completed: Type.Integer(),
  overdue: Type.Integer(),
  nextDue: Type.Array(DueTask, { description: 'the open ones that are due first, five at the most' }),
});
const Inbox = Type.Object({ unread: Type.Integer() });
const orNone = <S extends TSchema>(part: S) => Type.Union([part, Type.Null()]);
const Dashboard = Type.Object(
  {
    user: orNone(Person),
    tasks: orNone(Tasks),
    inbox: orNone(Inbox),
    partial: Type.Boolean({ description: 'whether something is missing: what is null was not to be had in time' }),
    missing: Type.Array(Type.String(), { description: 'the services that it would have come from' }),
  },
  { title: 'Dashboard' },
);

/** Asks a service, on behalf of whoever asks us; undefined where it does not answer. */
export type AskService = (service: ServiceName, path: string) => Promise<JsonAnswer | undefined>;

/** Mounted under /api/v1. */
export const dashboardRoute = (
  app: HttpApp,
  askFor: (request: FastifyRequest, reply: FastifyReply) => AskService,
): void => {
  app.get(
    '/dashboard',
    {
      config: { access: 'user' },
      schema: {
        operationId: 'getDashboard',
        tags: ['dashboard'],
        summary: 'Where I stand, over all services',
        response: responses({ 200: Dashboard }, AUTHENTICATED),
      },
    },
    (request, reply) => compose(askFor(request, reply)),
  );
};

const validator = createValidator({ coerce: false });
const Counted = Type.Object({ totalCount: Type.Integer() });
const Listed = Type.Object({
  totalCount: Type.Integer(),
  items: Type.Array(Type.Object({ ...DueTask.properties, dueAt: textOrNone })),
});
const isPerson = validator.compile<Static<typeof Person>>(Person);
const isCounted = validator.compile<Static<typeof Counted>>(Counted);
const isListed = validator.compile<Static<typeof Listed>>(Listed);
const isCount = validator.compile<{ readonly count: number }>(Type.Object({ count: Type.Integer() }));

/** What a service says of the request itself, and every other would too: it is our answer then, and no part is missing. */
const OURS = new Set([400, 401, 422]);
const Refusal = Type.Object({
  code: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String(),
  errors: Type.Optional(Type.Array(Type.Unsafe<InputError>(Type.Object({})))),
});
const isRefusal = validator.compile<Static<typeof Refusal>>(Refusal);

/** The body of a service's answer. Throws what it refuses for the sake of the request. */
type BodyOf = (service: ServiceName, path: string) => Promise<unknown>;
const bodyOf =
  (ask: AskService): BodyOf =>
  async (service, path) => {
    const answer = await ask(service, path);
    if (answer && OURS.has(answer.status) && isRefusal(answer.body)) {
      const { code, errors, ...problem } = answer.body;
      throw new HttpProblem(code, problem, errors && { errors });
    }
    return answer?.body;
  };

const compose = async (ask: AskService): Promise<Static<typeof Dashboard>> => {
  const body = bodyOf(ask);
  const [user, tasks, inbox] = await Promise.all([userPart(body), taskPart(body), inboxPart(body)]);
  const missing = Object.entries({ user, task: tasks, notification: inbox }).flatMap(([service, part]) =>
    part === null ? [service] : [],
  );
  return { user, tasks, inbox, partial: missing.length > 0, missing };
};

const userPart = async (body: BodyOf): Promise<Static<typeof Person> | null> => {
  const me = await body('user', '/api/v1/me');
  return isPerson(me) ? { id: me.id, username: me.username, displayName: me.displayName } : null;
};

const taskPart = async (body: BodyOf): Promise<Static<typeof Tasks> | null> => {
  const [open, completed, overdue] = await Promise.all([
    body('task', '/api/v1/tasks?status=open&sort=dueAt&limit=5&count=true'),
    body('task', '/api/v1/tasks?status=completed&limit=1&count=true'),
    body('task', '/api/v1/tasks?overdue=true&limit=1&count=true'),
  ]);
  if (!isListed(open) || !isCounted(completed) || !isCounted(overdue)) return null;
  const nextDue = open.items.flatMap(({ id, title, priority, dueAt }) =>
    dueAt === null ? [] : [{ id, title, priority, dueAt }],
  );
  return { open: open.totalCount, completed: completed.totalCount, overdue: overdue.totalCount, nextDue };
};

const inboxPart = async (body: BodyOf): Promise<Static<typeof Inbox> | null> => {
  const unread = await body('notification', '/api/v1/inbox/unread-count');
  return isCount(unread) ? { unread: unread.count } : null;
};
