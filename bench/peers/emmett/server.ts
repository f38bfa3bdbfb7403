/** The task service as Emmett documents it: a decider, a command handler, an inline projection, Express. */
import { createSecretKey, randomUUID } from 'node:crypto';
import {
  DeciderCommandHandler,
  IllegalStateError,
  NotFoundError,
  projections,
  STREAM_DOES_NOT_EXIST,
} from '@event-driven-io/emmett';
import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import jwt from 'jsonwebtoken';
import pg from 'pg';
import { ZodError, z } from 'zod';
import { listTasks, readTask, tasksProjection } from './readModel.ts';
import { decide, evolve, initialState, type Task, type TaskCommand, type TaskEvent } from './task.ts';

const { DB_HOST, DB_PORT, DB_USER, DB_PASSWORD, DB_NAME, DB_POOL, JWT_SECRET, PORT } = z
  .object({
    DB_HOST: z.string(),
    DB_PORT: z.string(),
    DB_USER: z.string(),
    DB_PASSWORD: z.string(),
    DB_NAME: z.string(),
    DB_POOL: z.coerce.number(),
    JWT_SECRET: z.string(),
    PORT: z.coerce.number(),
  })
  .parse(process.env);

const connectionString =
  `postgresql://${DB_USER}:${encodeURIComponent(DB_PASSWORD)}@/${DB_NAME}` +
  `?host=${encodeURIComponent(DB_HOST)}&port=${DB_PORT}`;
const pool = new pg.Pool({ connectionString, max: DB_POOL });

const eventStore = getPostgreSQLEventStore(connectionString, {
  projections: projections.inline([tasksProjection]),
  schema: { autoMigration: 'None' },
  connectionOptions: { pool },
});
await eventStore.schema.migrate();

const handle = DeciderCommandHandler<Task | null, TaskCommand, TaskEvent>({
  decide,
  evolve,
  initialState,
  mapToStreamId: (id) => `task-${id}`,
});

const secret = createSecretKey(Buffer.from(JWT_SECRET));
const authenticate: RequestHandler = (request, response, next) => {
  try {
    const token = request.headers.authorization?.replace(/^Bearer /, '') ?? '';
    response.locals.principal = jwt.verify(token, secret, { algorithms: ['HS256'] }).sub;
    next();
  } catch {
    response.status(401).json({ detail: 'invalid token' });
  }
};

const NewTaskBody = z.strictObject({
  title: z.string().min(1).max(200),
  description: z.string().max(10_000).default(''),
  priority: z.enum(['low', 'medium', 'high', 'urgent']).default('medium'),
  due: z.iso.datetime({ offset: true }).nullable().default(null),
});
const TaskId = z.uuid();
const Limit = z.coerce.number().int().min(1).max(200).default(50);

const app = express();
app.disable('x-powered-by');
app.get('/health/ready', (_request, response) => {
  response.json({ status: 'ok' });
});
app.use('/api/v1', authenticate, express.json());

app.post('/api/v1/tasks', async (request, response) => {
  const id = randomUUID();
  const data = {
    ...NewTaskBody.parse(request.body),
    taskId: id,
    ownerId: response.locals.principal,
    now: new Date().toISOString(),
  };
  const options = { expectedStreamVersion: STREAM_DOES_NOT_EXIST };
  const { newState } = await handle(eventStore, id, { type: 'CreateTask', data }, options);
  response.status(201).json(newState);
});

app.get('/api/v1/tasks', async (request, response) => {
  response.json({ items: await listTasks(pool, response.locals.principal, Limit.parse(request.query.limit)) });
});

app.get('/api/v1/tasks/:id', async (request, response) => {
  const id = TaskId.parse(request.params.id);
  const task = await readTask(pool, response.locals.principal, id);
  if (!task) throw new NotFoundError({ id, type: 'task' });
  response.json(task);
});

app.post('/api/v1/tasks/:id/complete', async (request, response) => {
  const id = TaskId.parse(request.params.id);
  const data = { taskId: id, ownerId: response.locals.principal, now: new Date().toISOString() };
  const { newState } = await handle(eventStore, id, { type: 'CompleteTask', data });
  response.json(newState);
});

const statusOf = (error: unknown): number => {
  if (error instanceof ZodError) return 422;
  if (error instanceof NotFoundError) return 404;
  return error instanceof IllegalStateError ? 409 : 500;
};
const answerError: ErrorRequestHandler = (error, _request, response, _next) => {
  response.status(statusOf(error)).json({ detail: String(error.message) });
};
app.use(answerError);

const server = app.listen(PORT, '127.0.0.1');
process.once('SIGTERM', () => {
  server.close(() => void pool.end().then(() => process.exit(0)));
  server.closeAllConnections();
});
