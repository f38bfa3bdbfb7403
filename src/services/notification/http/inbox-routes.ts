/** Inboxes over HTTP. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { handle } from '#platform/commit/command-handler.ts';
import { contextOf, presenter, runCommand } from '#platform/http/commands.ts';
import { answerToken, bringsToken } from '#platform/http/consistency.ts';
import { idempotencyInFlight, keyedRequest, once } from '#platform/http/idempotency.ts';
import { answerList } from '#platform/http/list.ts';
import { sendVersioned } from '#platform/http/preconditions.ts';
import { pick, refusal } from '#platform/http/problems.ts';
import { AUTHENTICATED, KEYED, listOf, NoBody, responses, VERSIONED, WITH_BODY } from '#platform/http/schemas.ts';
import type { Routes } from '#platform/http/server.ts';
import { inboxEntries } from '../application/aggregates.ts';
import { type AllRead, readAll, readAllBefore } from '../application/read-all.ts';
import { countInbox, findEntry, type InboxFilter, inboxList, listInbox } from '../read-models/inbox-list.ts';
import type { NotificationPorts } from './ports.ts';
import { inboxProblems } from './problems.ts';
import { requester } from './requester.ts';
import { Count, EntryParams, InboxEntryResource, InboxQuery, presentEntry, UpdateEntryBody } from './schemas.ts';

const entry = presenter(inboxList, presentEntry);
const USER = { access: 'user' } as const;
const NOT_FOUND = pick(inboxProblems, 'entry-not-found');

export const inboxRoutes =
  (ports: NotificationPorts): Routes =>
  (app) => {
    const { write, database, kept, cursors } = ports;

    app.get(
      '/inbox',
      {
        config: USER,
        schema: {
          operationId: 'listInbox',
          tags: ['inbox'],
          summary: 'What I was told, the newest first',
          querystring: InboxQuery,
          response: responses({ 200: listOf(InboxEntryResource) }, [...AUTHENTICATED, 'cursor-mismatch']),
        },
      },
      (request) => {
        const filter: InboxFilter = { recipient: requester(request), status: request.query.status ?? 'inbox' };
        return answerList(cursors, request.query, {
          binding: ['inbox', filter],
          find: (page) => listInbox(database, filter, page),
          count: () => countInbox(kept, database, filter, { fresh: bringsToken(request) }),
          present: presentEntry,
        });
      },
    );

    app.get(
      '/inbox/unread-count',
      {
        config: USER,
        schema: {
          operationId: 'countUnread',
          tags: ['inbox'],
          summary: 'How many entries are new',
          response: responses({ 200: Count }, AUTHENTICATED),
        },
      },
      async (request) => {
        const filter = { recipient: requester(request), status: 'unread' } as const;
        return { count: await countInbox(kept, database, filter, { fresh: bringsToken(request) }) };
      },
    );

    app.get(
      '/inbox/:id',
      {
        config: USER,
        schema: {
          operationId: 'getInboxEntry',
          tags: ['inbox'],
          summary: 'One entry',
          params: EntryParams,
          response: responses({ 200: InboxEntryResource, 304: NoBody }, AUTHENTICATED, NOT_FOUND),
        },
      },
      async (request, reply) => {
        const row = await findEntry(database, request.params.id, requester(request));
        if (row === undefined) throw refusal(inboxProblems, 'entry-not-found');
        return sendVersioned(request, reply, presentEntry(row));
      },
    );

    app.patch(
      '/inbox/:id',
      {
        config: USER,
        schema: {
          operationId: 'updateInboxEntry',
          tags: ['inbox'],
          summary: 'Mark an entry as read or archived, or as neither (merge-patch)',
          params: EntryParams,
          body: UpdateEntryBody,
          response: responses(
            { 200: InboxEntryResource },
            [...AUTHENTICATED, ...WITH_BODY, ...KEYED, ...VERSIONED],
            NOT_FOUND,
          ),
        },
      },
      (request, reply) =>
        runCommand(write, request, reply, {
          presenter: entry,
          problems: inboxProblems,
          run: (context, options) => {
            const command = { type: 'UpdateInboxEntry', by: requester(request), ...request.body } as const;
            return handle(write.commands, inboxEntries, request.params.id, command, context, options);
          },
        }),
    );

    app.post(
      '/inbox/read-all',
      {
        config: USER,
        schema: {
          operationId: 'readAll',
          tags: ['inbox'],
          summary: 'Mark all that is new as read; answers how many that were',
          body: NoBody,
          response: responses({ 200: Count }, [...AUTHENTICATED, ...KEYED]),
        },
      },
      (request, reply) => readThemAll(ports, request, reply),
    );
  };

const readThemAll = (
  { write, database }: NotificationPorts,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> => {
  const { commands, tokenOf } = write;
  const by = requester(request);
  const idempotency = keyedRequest(request);
  const answer = ({ count, published }: AllRead): FastifyReply => {
    answerToken(reply, tokenOf, published);
    return reply.send({ count });
  };
  return once(
    { ...write, lookUpFirst: true },
    idempotency,
    async () => {
      const outcome = await readAll({ commands, database }, by, contextOf(request, by), { idempotency });
      return outcome.kind === 'done' ? { final: answer(outcome) } : { refusal: idempotencyInFlight() };
    },
    async ({ results }) => {
      reply.header('idempotency-replayed', 'true');
      return answer(await readAllBefore(commands, results));
    },
  );
};
