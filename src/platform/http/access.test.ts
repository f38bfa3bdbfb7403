import { expect, test } from 'vitest';
import { createLogger } from '../telemetry/logger.ts';
import type { Operators } from './access.ts';
import { createHttpApp } from './server.ts';

const nobody = { verify: async () => ({ refused: 'nobody is known here' }) };
const server = (operators?: Operators) =>
  createHttpApp({ verifier: nobody, logger: createLogger('silent'), operators });

test('a route that does not say who may call it stops the start', async () => {
  const app = await server();
  expect(() => app.get('/forgotten', async () => 'open to all')).toThrow('GET /forgotten does not say who may call it');
});

test.each([
  ['public', 200],
  ['user', 401],
] as const)('a route for %s answers %i to who brings no token', async (access, status) => {
  const app = await server();
  app.get('/said', { config: { access } }, async () => 'hello');
  expect((await app.inject('/said')).statusCode).toBe(status);
});

const TOKEN = 'a-token-for-those-who-watch';
test.each([
  ['nobody, where none is said', undefined, TOKEN, 401],
  ['nobody', 'nobody', TOKEN, 401],
  ['everybody', 'everybody', undefined, 200],
  ['who has the token', { token: TOKEN }, TOKEN, 200],
  ['who has another', { token: TOKEN }, `${TOKEN}.`, 401],
  ['who has none', { token: TOKEN }, undefined, 401],
] as const)('a route for operators, asked by %s', async (_who, operators, token, status) => {
  const app = await server(operators);
  app.get('/figures', { config: { access: 'operator' } }, async () => 'many');
  const headers = { ...(token !== undefined && { authorization: `Bearer ${token}` }) };
  expect((await app.inject({ url: '/figures', headers })).statusCode).toBe(status);
});
