/** The user service over HTTP. */
import type { SessionId, UserId } from '#contracts/user.ts';
import { ACCESS_TOKEN_SECONDS } from '#platform/auth/tokens.ts';
import { handle } from '#platform/commit/command-handler.ts';
import { requesterId } from '#platform/http/access.ts';
import { contextOf, presenter, runCommand, type WriteKit } from '#platform/http/commands.ts';
import { answerToken } from '#platform/http/consistency.ts';
import { sendVersioned } from '#platform/http/preconditions.ts';
import { pick, refusal } from '#platform/http/problems.ts';
import { AUTHENTICATED, KEYED, NoBody, responses, VERSIONED, WITH_BODY } from '#platform/http/schemas.ts';
import type { Routes } from '#platform/http/server.ts';
import { newId } from '#platform/keys/ids.ts';
import { users } from '../application/aggregates.ts';
import { type AuthenticatePorts, authenticateUser } from '../application/authenticate-user.ts';
import { type RegisterPorts, registerUser } from '../application/register-user.ts';
import { findUser, userProfile } from '../read-models/user-profile.ts';
import { userProblems } from './problems.ts';
import { LoginAnswer, LoginBody, presentUser, RegisterBody, UpdateUserBody, UserResource } from './schemas.ts';

const user = presenter(userProfile, presentUser);
export const userRoutes =
  (ports: RegisterPorts & AuthenticatePorts & { readonly write: WriteKit }): Routes =>
  (app) => {
    app.post(
      '/auth/register',
      {
        config: { access: 'public', limits: 'registration' },
        schema: {
          operationId: 'registerUser',
          tags: ['users'],
          summary: 'Register',
          body: RegisterBody,
          response: responses(
            { 201: UserResource },
            WITH_BODY,
            pick(userProblems, 'registration-closed', 'weak-password', 'email-taken', 'username-taken'),
          ),
        },
      },
      (request, reply) =>
        runCommand(ports.write, request, reply, {
          presenter: user,
          problems: userProblems,
          run: (context) => {
            const id = newId<UserId>();
            return registerUser(ports, { id, ...request.body }, { ...context, actor: id });
          },
          location: () => '/api/v1/me',
        }),
    );

    app.post(
      '/auth/login',
      {
        config: { access: 'public', limits: 'login' },
        schema: {
          operationId: 'authenticateUser',
          tags: ['users'],
          summary: 'Log in with a password',
          body: LoginBody,
          response: responses({ 200: LoginAnswer }, WITH_BODY, pick(userProblems, 'invalid-credentials')),
        },
      },
      async (request, reply) => {
        const sessionId = newId<SessionId>();
        const authenticated = await authenticateUser(
          ports,
          { ...request.body, sessionId },
          contextOf(request, 'anonymous'),
        );
        if (authenticated === 'invalid-credentials') throw refusal(userProblems, 'invalid-credentials');
        const { accessToken, user, published } = authenticated;
        answerToken(reply, ports.write.tokenOf, published);
        return reply.header('cache-control', 'no-store').send({
          status: 'authenticated',
          accessToken,
          expiresIn: ACCESS_TOKEN_SECONDS,
          sessionId,
          user: presentUser(user),
        });
      },
    );

    app.get(
      '/me',
      {
        config: { access: 'user' },
        schema: {
          operationId: 'getMe',
          tags: ['users'],
          summary: 'Who I am',
          response: responses({ 200: UserResource, 304: NoBody }, AUTHENTICATED, pick(userProblems, 'user-not-found')),
        },
      },
      async (request, reply) => {
        const row = await findUser(ports.database, requesterId<UserId>(request));
        if (row === undefined) throw refusal(userProblems, 'user-not-found');
        return sendVersioned(request, reply, presentUser(row));
      },
    );

    app.patch(
      '/me',
      {
        config: { access: 'user' },
        schema: {
          operationId: 'updateUser',
          tags: ['users'],
          summary: 'Change my profile',
          body: UpdateUserBody,
          response: responses(
            { 200: UserResource },
            [...AUTHENTICATED, ...WITH_BODY, ...KEYED, ...VERSIONED],
            pick(userProblems, 'user-not-found', 'username-taken'),
          ),
        },
      },
      (request, reply) =>
        runCommand(ports.write, request, reply, {
          presenter: user,
          problems: userProblems,
          run: (context, options) =>
            handle(
              ports.commands,
              users,
              requesterId<UserId>(request),
              { type: 'UpdateUser', changes: request.body },
              context,
              options,
            ),
        }),
    );
  };
