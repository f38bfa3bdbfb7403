/** Only a token of ours, unaltered and in its time, says who asks; every other gets one and the same 401. */
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { importJWK, type JWK, type JWTPayload, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Answer, startTestApp, type TestApp } from '../support/app.ts';
import { expectProblem, timeless } from '../support/expectations.ts';

let product: TestApp;
let ada: Awaited<ReturnType<TestApp['person']>>;
let ours: JWK & { kid: string };
let withoutToken: Answer;
beforeAll(async () => {
  product = await startTestApp();
  ada = await product.person();
  [ours] = JSON.parse(product.secrets.jwtPrivateKeys).keys;
  withoutToken = await product.ask('GET', '/api/v1/me');
});
afterAll(() => product.close());

const now = () => Math.floor(Date.now() / 1000);
const claims = (): JWTPayload => ({
  iss: product.config.PUBLIC_URL,
  aud: 'taskwire',
  sub: ada.id,
  sid: '01939d5e-0000-7000-8000-0000000000aa',
  jti: '01939d5e-0000-7000-8000-0000000000bb',
  iat: now(),
  exp: now() + 600,
  roles: [],
});
const sign = async (changes: { claims?: object; header?: object; key?: JWK | KeyObject } = {}): Promise<string> => {
  const { key = ours } = changes;
  const header = { alg: 'ES256', typ: 'at+jwt', kid: ours.kid, ...changes.header };
  return new SignJWT({ ...claims(), ...changes.claims })
    .setProtectedHeader(JSON.parse(JSON.stringify(header)))
    .sign('kty' in key ? await importJWK(key, header.alg) : key);
};
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const byHand = (header: object, payload: object, signature: (text: string) => string) => {
  const text = `${encode(header)}.${encode(payload)}`;
  return `${text}.${signature(text)}`;
};
const hmac = (secret: string | Buffer) => (text: string) =>
  createHmac('sha256', secret).update(text).digest('base64url');
const foreign = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const publicPem = () => createPublicKey({ key: { ...ours }, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
const publicJwk = ({ d: _secret, ...rest }: JWK): JWK => rest;
const part = (token: string, n: number) => token.split('.')[n] ?? '';

test('a token signed and claimed as it should be is taken: what follows fails for its own reason', async () => {
  expect((await product.ask('GET', '/api/v1/me', { token: await sign() })).body.id).toBe(ada.id);
});

const FORGED: Record<string, () => string | Promise<string>> = {
  'signed by another key': () => sign({ key: foreign() }),
  'that has expired': () => sign({ claims: { exp: now() - 1 } }),
  'that expires never': () => sign({ claims: { exp: undefined } }),
  'that is not valid yet': () => sign({ claims: { nbf: now() + 60 } }),
  'of another issuer': () => sign({ claims: { iss: 'https://evil.example' } }),
  'of no issuer': () => sign({ claims: { iss: undefined } }),
  'for another audience': () => sign({ claims: { aud: 'others' } }),
  'for nobody': () => sign({ claims: { aud: undefined } }),
  'of another type': () => sign({ header: { typ: 'JWT' } }),
  'of no type': () => sign({ header: { typ: undefined } }),
  'without a subject': () => sign({ claims: { sub: undefined } }),
  'without a session': () => sign({ claims: { sid: undefined } }),
  'whose session is a number': () => sign({ claims: { sid: 7 } }),
  'whose expiry is a text': () => sign({ claims: { exp: 'never' } }),
  'of algorithm none': () => byHand({ alg: 'none', typ: 'at+jwt', kid: ours.kid }, claims(), () => ''),
  'of algorithm None': () => byHand({ alg: 'None', typ: 'at+jwt', kid: ours.kid }, claims(), () => ''),
  'of HS256 with the public key as PEM for a secret': () =>
    byHand({ alg: 'HS256', typ: 'at+jwt', kid: ours.kid }, claims(), hmac(publicPem())),
  'of HS256 with the public key as JWK for a secret': () =>
    byHand({ alg: 'HS256', typ: 'at+jwt', kid: ours.kid }, claims(), hmac(JSON.stringify(publicJwk(ours)))),
  'of HS256 with an empty secret': () => byHand({ alg: 'HS256', typ: 'at+jwt', kid: ours.kid }, claims(), hmac('')),
  'that brings its own key': () => {
    const key = foreign();
    return sign({ key, header: { jwk: publicJwk(key.export({ format: 'jwk' })), kid: undefined } });
  },
  'that brings its own key under our name': () => {
    const key = foreign();
    return sign({ key, header: { jwk: publicJwk(key.export({ format: 'jwk' })) } });
  },
  'that says where its keys are': () =>
    sign({ key: foreign(), header: { jku: 'https://evil.example/jwks.json', kid: 'evil' } }),
  'that says where its certificate is': () =>
    sign({ key: foreign(), header: { x5u: 'https://evil.example/cert.pem' } }),
  'of no key': () => sign({ header: { kid: undefined } }),
  'of an unknown key': () => sign({ header: { kid: 'unknown' } }),
  'of a key that is a path': () => sign({ header: { kid: '../../../../dev/null' } }),
  'of a key that is SQL': () => sign({ header: { kid: "' or '1'='1" } }),
  'of a key that is no text': () => sign({ header: { kid: 1 } }),
  'of the prototype': () => sign({ header: { kid: '__proto__' } }),
  'with a critical header that we do not know': () =>
    byHand({ alg: 'ES256', typ: 'at+jwt', kid: ours.kid, crit: ['x'], x: 1 }, claims(), () => part(ada.token, 2)),
  'whose payload was replaced': () =>
    [part(ada.token, 0), encode({ ...claims(), sub: 'somebody else' }), part(ada.token, 2)].join('.'),
  'whose signature is of another': async () => [...ada.token.split('.').slice(0, 2), part(await sign(), 2)].join('.'),
  'without a signature': () => `${part(ada.token, 0)}.${part(ada.token, 1)}.`,
  'whose signature is all zero': () =>
    `${part(ada.token, 0)}.${part(ada.token, 1)}.${Buffer.alloc(64).toString('base64url')}`,
  'in two parts': () => ada.token.split('.').slice(0, 2).join('.'),
  'in four parts': () => `${ada.token}.x`,
  'with rubbish behind it': () => `${ada.token}x`,
  'with padding behind it': () => `${ada.token}==`,
  'that is ours but for bits that decoding drops': () => {
    const last = ada.token.at(-1) ?? '';
    return ada.token.slice(0, -1) + String.fromCharCode(last.charCodeAt(0) + 1);
  },
  'that is no token': () => 'rubbish',
  'that is nothing but dots': () => '..',
  'of 7 kB': () => 'x'.repeat(7_000),
};

test.each(Object.entries(FORGED))('a token %s is refused like none', async (_what, forge) => {
  const answer = await product.ask('GET', '/api/v1/me', { token: await forge() });
  expectProblem(answer, 401, 'unauthenticated');
  expect(timeless(answer)).toEqual(timeless(withoutToken));
  expect(answer.headers['www-authenticate']).toBe('Bearer');
});

test.each<[header: string, make: (token: string) => string, status: number]>([
  ['in lower case', (token) => `bearer ${token}`, 200],
  ['in upper case', (token) => `BEARER ${token}`, 200],
  ['without its scheme', (token) => token, 401],
  ['as Basic', (token) => `Basic ${token}`, 401],
  ['with nothing', () => 'Bearer', 401],
  ['with an empty token', () => 'Bearer ', 401],
  ['twice', (token) => `Bearer ${token} ${token}`, 401],
  ['as a list', (token) => `Bearer ${token}, Bearer ${token}`, 401],
  ['with a tab', (token) => `Bearer\t${token}`, 401],
  ['in quotes', (token) => `Bearer "${token}"`, 401],
])('Authorization %s: %#', async (_what, make, status) => {
  const answer = await product.ask('GET', '/api/v1/me', { headers: { authorization: make(ada.token) } });
  expect(answer.status).toBe(status);
});

test('a token is read from the header alone', async () => {
  const elsewhere = await product.ask('GET', `/api/v1/me?access_token=${ada.token}`, {
    headers: { cookie: `access_token=${ada.token}`, 'x-access-token': ada.token, 'x-user-id': ada.id },
  });
  expectProblem(elsewhere, 401, 'unauthenticated');
});

test('a token that was good once is refused when its time is over', async () => {
  const exp = now() + 4; // whole seconds, of which the first is as good as over
  const token = await sign({ claims: { exp } });
  expect((await product.ask('GET', '/api/v1/me', { token })).status).toBe(200);
  await new Promise((done) => setTimeout(done, exp * 1_000 - Date.now() + 50));
  expectProblem(await product.ask('GET', '/api/v1/me', { token }), 401, 'unauthenticated');
});

test('whoever may not ask is not read either: a body is refused for want of a token first', async () => {
  const answer = await product.ask('POST', '/api/v1/tasks', { raw: '{'.repeat(300_000) });
  expectProblem(answer, 401, 'unauthenticated');
});
