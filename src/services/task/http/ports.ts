/** What the task service's routes need of the rest. */
import type { WriteKit } from '#platform/http/commands.ts';
import type { CursorCodec } from '#platform/http/cursor.ts';
import type { Kept } from '#platform/read-models/kept.ts';
import type { Database } from '#platform/sql/database.ts';

export type TaskPorts = {
  readonly write: WriteKit;
  readonly database: Database;
  readonly kept: Kept;
  readonly cursors: CursorCodec;
};
