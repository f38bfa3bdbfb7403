/** Events near the largest there may be: so many at once as a moment suffices for, and in the end all. */
import { expect, test } from 'vitest';
import { readFeed } from '../../../src/platform/event-bus/feed.ts';
import { cursorsAfter, type Standing } from '../../../src/platform/event-bus/lanes.ts';
import { openLogBus } from '../../../src/platform/event-bus/log-bus.ts';
import { FEED_START } from '../../../src/platform/event-store/event.ts';
import { upTo } from '../bed.ts';
import { SCHEMA } from '../notes.ts';
import { logBed } from './log-bed.ts';

const bed = logBed();
/** Sealed 1.2 MB each: 4 MB are over with the fourth. */
const WORDS = 'x'.repeat(900_000);
const PAGES = [4, 4, 1];

test('are read a few at a time, from the feed and from the bus alike', async () => {
  const ids: string[] = [];
  for (const _ of upTo(9)) ids.push(await bed.say(WORDS));
  await bed.shown();

  const pages: string[][] = [];
  for (let after = FEED_START; ; ) {
    const page = await readFeed(bed.producer().database, after, 2_000);
    const last = page.at(-1);
    if (last === undefined) break;
    pages.push(page.map(({ envelope }) => envelope.stream));
    after = last.at;
  }
  expect(pages.map((page) => page.length)).toEqual(PAGES);
  expect(pages.flat()).toEqual(ids.map((id) => `note-${id}`));

  const bus = openLogBus({ note: { address: bed.address(), schema: SCHEMA } }, 'test bus');
  const reader = bus.replay('note', ['note.events']);
  let standing: Standing = { start: FEED_START, cursors: new Map(), lanes: new Map() };
  const slices: string[][] = [];
  for (const _ of PAGES) {
    const { deliveries, cursors } = await reader.next(standing);
    slices.push(deliveries.map(({ envelope }) => envelope.stream));
    standing = { ...standing, cursors: cursorsAfter(standing, cursors) };
  }
  await bus.close();
  expect(slices).toEqual(pages);
});
