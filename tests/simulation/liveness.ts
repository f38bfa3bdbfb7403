/** What must come to be once the faults have ended: everything is done. Answers what is not, in words. */
import { laneName } from '../../src/platform/event-bus/lanes.ts';
import type { PostRows } from './database.ts';
import { jobOf } from './reader.ts';
import { orderOf } from './store.ts';
import type { World } from './world.ts';

export const undone = (world: World): readonly string[] => {
  const { config, stores, database, mails, jobs, timers, topicOf, safety, workSafety } = world;
  const left: string[] = [];
  for (const { source, visible, isRunning, end } of stores) {
    if (isRunning()) left.push(`a transaction of ${source} runs`);
    if (config.bus !== 'log') {
      if (orderOf(topicOf(source).checkpoint.position) < orderOf(end())) left.push(`the relay of ${source} is behind`);
      for (const event of visible) if (!safety.isOnBus(event)) left.push(`${event.id} is not on the bus`);
    }
    for (const { name } of config.hearers) {
      const rows = [...database.posts.values()].find(({ post }) => post.consumer === name && post.source === source);
      if (rows === undefined) left.push(`${name} is not registered for ${source}`);
      else left.push(...undoneOf(world, rows));
    }
  }
  for (const { id, status } of jobs.all()) {
    if (status === 'begun') left.push(`job ${id} is not done`);
    if (status === 'sent' && !workSafety.sends.has(id)) left.push(`mail ${id} was never sent`);
  }
  if (mails.size() > 0) left.push(`${mails.size()} mails are due`);
  for (const { pending, schedule } of timers)
    if (pending().length + schedule.size() > 0) left.push(`${schedule.name}: ${schedule.size()} are due`);
  return left;
};

const undoneOf = ({ config, stores, safety, jobs }: World, rows: PostRows): readonly string[] => {
  const { post, parked, lanes } = rows;
  const name = `${post.consumer}@${post.source}`;
  const left: string[] = [];
  for (const { key, events } of parked.values())
    if (events[0]?.envelope.type !== 'unreadable') left.push(`${name} has parked ${key}: ${events[0]?.envelope.id}`);
  const isParked = new Set([...parked.values()].flatMap(({ events }) => events.map(({ envelope }) => envelope.id)));
  for (const { id } of safety.owedTo(rows)) if (!isParked.has(id)) left.push(`${name} has not handled ${id}`);
  if (post.consumer === 'p')
    for (const { id, nature } of safety.handledBy(rows))
      if (nature === 'mail' && !jobs.has(jobOf(post, id))) left.push(`nothing is sent for ${id}`);
  const topics = config.hearers.find((one) => one.name === post.consumer)?.topics;
  const store = stores.find(({ source }) => source === post.source);
  for (const { id, topic, lane, order } of store?.visible ?? []) {
    const position = lanes.get(laneName(topic, lane))?.position ?? rows.start;
    if (topics?.has(topic) && orderOf(position) < order) left.push(`${name} has not come to ${id}`);
  }
  return left;
};
