import { type Cell, type Figure, type NotRun, notRun } from './report.ts';

/** The samples of one cell, taken in rounds. After a failure no more are taken, and the cell says why. */
export class Series<Sample> {
  readonly #samples: Sample[] = [];
  #failure: NotRun | undefined;

  async add(measure: () => Promise<Sample>): Promise<void> {
    if (this.#failure) return;
    try {
      this.#samples.push(await measure());
    } catch (error) {
      this.#failure = notRun(error);
    }
  }

  cell(figure: (samples: readonly Sample[]) => Figure): Cell {
    return this.#failure ?? figure(this.#samples);
  }
}
