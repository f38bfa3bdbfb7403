/**
 * DeleteCategory: its tasks are let go of, or put into the trash, before it is gone; in one commit where they are few,
 * in several where they are many (no transaction writes for long). Killed in between, the category is still there with
 * the tasks that are left, and deleting it again goes on.
 */
import type { CategoryId, TaskId } from '#contracts/task.ts';
import type { UserId } from '#contracts/user.ts';
import { type CommandKit, type CommandOptions, carryOut, plansOf } from '#platform/commit/command-handler.ts';
import { Contended, type Outcome, rejected, WITHDRAWN } from '#platform/commit/outcome.ts';
import { type CommandContext, type Plan, plan, planEach } from '#platform/commit/plan.ts';
import { streamName } from '#platform/event-store/event.ts';
import { type Published, together } from '#platform/event-store/published.ts';
import type { Database } from '#platform/sql/database.ts';
import type { CategoryRejection } from '../domain/category.ts';
import type { CategoryRow } from '../read-models/category-list.ts';
import { anyTaskInCategory, findTasksInCategory } from '../read-models/task-list.ts';
import { categories, tasks } from './aggregates.ts';

const AT_ONCE = 100;
/** So many rounds of letting go; beyond them, tasks come in as fast as they leave. */
const ROUNDS = 1_000;

export type DeleteCategory = {
  readonly id: CategoryId;
  readonly by: UserId;
  /** What becomes of its tasks; undefined = refuse while there are any. */
  readonly tasksTo: 'list' | 'trash' | undefined;
};

export const deleteCategory = async (
  { commands, database }: { readonly commands: CommandKit; readonly database: Database },
  { id, by, tasksTo }: DeleteCategory,
  context: CommandContext,
  options: CommandOptions,
): Promise<Outcome<CategoryRow, CategoryRejection | 'category-not-empty'>> => {
  const plansToLeave = (ids: readonly TaskId[]): Promise<readonly Plan<unknown, never>[]> =>
    planEach(commands, tasks, ids, { type: 'LeaveCategory', from: id, to: tasksTo ?? 'list', by }, context);

  const letGo = async (ids: readonly TaskId[]): Promise<Published | undefined> => {
    const streams = ids.map((task) => streamName(tasks.streamPrefix, task));
    const outcome = await carryOut(commands, 'LeaveCategory', streams, {}, async () => {
      const [first, ...others] = await plansToLeave(ids);
      return first ? plansOf(first, ...others) : WITHDRAWN; // another was faster, and left none
    });
    return outcome.kind === 'done' ? outcome.published : undefined;
  };

  let published: Published | undefined;
  for (let round = 0; round < ROUNDS; round += 1) {
    const streams = [streamName(categories.streamPrefix, id)];
    const outcome = await carryOut(commands, 'DeleteCategory', streams, options, async () => {
      const planned = await plan(commands, categories, id, { type: 'DeleteCategory', by }, context, options);
      if (planned.kind !== 'plan') return planned;
      const inside = await findTasksInCategory(database, id, by, AT_ONCE + 1);
      if (inside.length > 0 && tasksTo === undefined) return rejected('category-not-empty');
      if (inside.length > AT_ONCE) return WITHDRAWN; // until few are left
      // A task that is put into it meanwhile makes the commit miss, and be decided again.
      const empty = { statement: anyTaskInCategory, values: [id], expect: 0 };
      return { ...plansOf(planned, ...(await plansToLeave(inside))), writes: [empty] };
    });
    if (outcome.kind === 'done') return { ...outcome, published: together([published, outcome.published]) };
    if (outcome.kind !== 'withdrawn') return outcome;
    published = together([published, await letGo(await findTasksInCategory(database, id, by, AT_ONCE))]);
  }
  throw new Contended('tasks are put into the category as fast as they leave it');
};
