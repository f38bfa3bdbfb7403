/** What a process waits for before it serves anybody: said where it changes, and seen by whoever asks for its health. */

export type Readiness = {
  /** In words that may be read by anybody; undefined once it serves. */
  readonly waitsFor: () => string | undefined;
  wait(what: string): void;
  begin(): void;
};

/** A process that has nothing to wait for serves from the first moment. */
export const createReadiness = (waiting?: string): Readiness => {
  let waitsFor = waiting;
  return {
    waitsFor: () => waitsFor,
    wait: (what) => {
      waitsFor = what;
    },
    begin: () => {
      waitsFor = undefined;
    },
  };
};
