/** Who asks, by the type of their id. */
import type { UserId } from '#contracts/user.ts';
import { requesterId } from '#platform/http/access.ts';

export const requester = requesterId<UserId>;
