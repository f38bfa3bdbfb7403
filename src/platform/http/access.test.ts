import { expect, test } from 'vitest';
import { createLogger } from '../telemetry/logger.ts';
import { createHttpApp } from './server.ts';

const nobody = { verify: async () => ({ refused: 'nobody is known here' }) };
const server = () => createHttpApp({ verifier: nobody, logger: createLogger('silent') });

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
