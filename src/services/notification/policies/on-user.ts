/** What people are told of themselves. */
import type { UserEvent, UserId, Username } from '#contracts/user.ts';
import type { DeliveryMeta } from '#platform/decider.ts';
import { mailOf, type Wish } from './wish.ts';

export type KnownPerson = { readonly id: UserId; readonly username: Username | null };

export const onUser: {
  readonly [T in UserEvent['type']]: (
    event: Extract<UserEvent, { type: T }>,
    person: KnownPerson | undefined,
    meta: Pick<DeliveryMeta, 'late'>,
  ) => readonly Wish[];
} = {
  'user.created': (_event, person, { late }) => {
    if (person === undefined) throw new Error('somebody registered of whom nothing was kept');
    const { id: recipientId, username } = person;
    return [mailOf({ recipientId, about: null, rule: 'welcome', params: { username } }, late)];
  },
  'user.updated': () => [],
};
