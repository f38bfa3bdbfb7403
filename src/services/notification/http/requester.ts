/** Who asks. The user service put their id into the token, and the token was verified: so it is one. */
import type { UserId } from '#contracts/user.ts';
import { principalOf } from '#platform/http/access.ts';

export const requester = (request: Parameters<typeof principalOf>[0]): UserId => principalOf(request).userId as UserId;
