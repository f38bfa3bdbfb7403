import { expect, test } from 'vitest';
import { commandOf, grantsOf } from './access.ts';

const grants = grantsOf(
  [
    { service: 'a', principal: 'User:a', says: ['a.events', 'a.events.private'], hears: [] },
    { service: 'b', principal: 'User:b', says: ['b.events'], hears: ['a.events'] },
  ],
  'User:ops',
  ['a.events', 'a.events.private', 'b.events'],
);

test('what is private to a service is named for it and for operators alone', () => {
  const named = grants.filter(({ names }) => names.includes('a.events.private')).map(({ principal }) => principal);
  expect(named).toEqual(['User:a', 'User:ops']);
});

test('who hears nobody joins no group', () => {
  expect(grants.filter(({ on }) => on === 'group').map(({ principal }) => principal)).toEqual(['User:b', 'User:ops']);
});

test('each is a command of the broker’s own tool', () => {
  const tool = 'kafka-acls.sh --bootstrap-server "$BROKER" --command-config admin.properties --add';
  expect(grants.filter(({ principal }) => principal === 'User:b').map(commandOf)).toEqual([
    `${tool} --allow-principal 'User:b' --operation Read --operation Write --topic 'b.events'`,
    `${tool} --allow-principal 'User:b' --operation Read --topic 'a.events'`,
    `${tool} --allow-principal 'User:b' --operation Read --group 'b.' --resource-pattern-type prefixed`,
  ]);
});
