/** Access tokens: JWTs by RFC 9068, ES256, ten minutes. The key decides the algorithm, never the token. */
import { createHash } from 'node:crypto';
import { type CryptoKey, errors, importJWK, type JWK, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';

export const ACCESS_TOKEN_SECONDS = 600;
const ALGORITHM = 'ES256';
const AUDIENCE = 'taskwire';

/** Who asks: what a valid token says. */
export type Principal = { readonly userId: string; readonly sessionId: string; readonly roles: readonly string[] };
export type KeySet = { readonly keys: readonly JWK[] };

/** Answers the keys that are known, among them the one by this id if there is one. Throws where they cannot be known now. */
export type KeySource = (kid: string | undefined) => Promise<KeySet>;
export type TokenIssuer = {
  issue(principal: Principal, authenticatedAt: Date, tokenId: string): Promise<string>;
  /** The public halves of all keys: what `/.well-known/jwks.json` serves. */
  readonly keySet: KeySet;
};
export type TokenVerifier = {
  /** Who asks, or why the token is refused (for the log; whoever sent it learns only that it is). */
  verify(token: string): Promise<Principal | { readonly refused: string }>;
};

/** `privateKeys` is a JWK set of ES256 keys as JSON; the first signs, the others only verify what they signed. */
export const createTokenIssuer = async (privateKeys: string, issuer: string): Promise<TokenIssuer> => {
  const keys = (JSON.parse(privateKeys) as { readonly keys: readonly JWK[] }).keys;
  const [signing] = keys;
  if (signing?.kid === undefined) throw new Error('JWT_PRIVATE_KEYS must be a JWK set whose keys have a kid');
  const kid = signing.kid;
  const key = await privateKey(signing);
  return {
    keySet: { keys: await Promise.all(keys.map(publicHalf)) },
    issue: ({ userId, sessionId, roles }, authenticatedAt, tokenId) =>
      new SignJWT({
        sid: sessionId,
        roles: [...roles],
        amr: ['pwd'],
        auth_time: Math.floor(authenticatedAt.getTime() / 1000),
      })
        .setProtectedHeader({ alg: ALGORITHM, typ: 'at+jwt', kid })
        .setIssuer(issuer)
        .setAudience(AUDIENCE)
        .setSubject(userId)
        .setJti(tokenId)
        .setIssuedAt()
        .setExpirationTime(`${ACCESS_TOKEN_SECONDS} s`)
        .sign(key),
  };
};

/** One token has one spelling: decoders pass over padding and over the last bits of 64 bytes, so we do not ask them. */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]{85}[AQgw]$/;

/** Verified tokens are remembered by their hash until they expire: a signature costs 0.3 ms, a look-up nothing. */
export const createTokenVerifier = (keySet: KeySource, issuer: string): TokenVerifier => {
  const known = new LRUCache<string, Principal>({ max: 10_000, ttl: ACCESS_TOKEN_SECONDS * 1000 });
  return {
    verify: async (token) => {
      if (!COMPACT.test(token)) return { refused: 'not three parts of base64url' };
      const hash = createHash('sha256').update(token).digest('base64');
      const principal = known.get(hash);
      if (principal) return principal;
      try {
        const { payload } = await jwtVerify(token, async ({ kid }) => publicKey(await keySet(kid), kid), {
          algorithms: [ALGORITHM],
          typ: 'at+jwt',
          issuer,
          audience: AUDIENCE,
          requiredClaims: ['sub', 'sid', 'exp', 'iat', 'jti'],
        });
        const verified = principalOf(payload);
        known.set(hash, verified, { ttl: Math.max(1, (payload.exp ?? 0) * 1000 - Date.now()) });
        return verified;
      } catch (error) {
        if (error instanceof errors.JOSEError) return { refused: error.code };
        throw error;
      }
    },
  };
};

const principalOf = ({ sub, sid, roles }: JWTPayload): Principal => {
  if (sub === undefined || typeof sid !== 'string') throw new errors.JWTInvalid('sub and sid must be strings');
  return {
    userId: sub,
    sessionId: sid,
    roles: Array.isArray(roles) ? roles.filter((role) => typeof role === 'string') : [],
  };
};

/** `kid` is only looked up among our own keys; whatever else a header says of keys is not read. */
const publicKey = async ({ keys }: KeySet, kid: string | undefined): Promise<CryptoKey> => {
  const jwk = keys.find((key) => key.kid === kid && kid !== undefined);
  if (jwk === undefined) throw new errors.JWKSNoMatchingKey();
  return imported(jwk);
};
const privateKey = async (jwk: JWK): Promise<CryptoKey> => {
  if (jwk.kty !== 'EC' || jwk.crv !== 'P-256' || jwk.d === undefined)
    throw new Error('JWT_PRIVATE_KEYS: only private P-256 keys');
  return imported(jwk);
};
const publicHalf = async (jwk: JWK): Promise<JWK> => {
  await privateKey(jwk);
  const { d: _secret, ...rest } = jwk;
  return { ...rest, alg: ALGORITHM, use: 'sig' };
};
const imported = async (jwk: JWK): Promise<CryptoKey> => {
  const key = await importJWK(jwk, ALGORITHM);
  if (key instanceof Uint8Array) throw new Error('a symmetric key cannot sign ES256');
  return key;
};
