/** How far something long has come: one line that is written anew in a terminal, else a line a second. */
import { counted } from './output.ts';

type Out = { readonly isTTY?: boolean; write(text: string): unknown };
/** total 0 = nobody knows. */
type Amount = {
  readonly step: string;
  readonly done: number;
  readonly total: number;
  /** What is counted; by default events. */
  readonly what?: string;
};
export type Meter = {
  /** Told as often as one likes; shown at every new step, and now and then within it. */
  readonly show: (amount: Amount) => void;
  /** Leaves the line, so that what is written next begins one. */
  readonly end: () => void;
};

const IN_TERMINAL = 100;
const IN_LOG = 1_000;
const CLEAR = '\r\u001b[K';

export const createMeter = (name: string, out: Out, now: () => number = () => performance.now()): Meter => {
  const began = now();
  let shown = { step: '', at: Number.NEGATIVE_INFINITY };
  return {
    show: (amount) => {
      const at = now();
      if (amount.step === shown.step && at - shown.at < (out.isTTY ? IN_TERMINAL : IN_LOG)) return;
      shown = { step: amount.step, at };
      const line = `${name}: ${inWords(amount, (at - began) / 1_000)}`;
      out.write(out.isTTY ? `${CLEAR}${line}` : `${line}\n`);
    },
    end: () => {
      if (out.isTTY) out.write(CLEAR);
    },
  };
};

/** `fill, 45,000 of 180,000 events (25 %), 31,204/s, 5 s left` */
const inWords = ({ step, done, total, what = 'event' }: Amount, seconds: number): string => {
  if (done === 0 || seconds === 0) return `${step}, ${counted(total, what)}`;
  const rate = done / seconds;
  if (total === 0) return `${step}, ${counted(done, what)}, ${grouped(rate)}/s`;
  const left = done < total ? `, ${Math.ceil((total - done) / rate)} s left` : '';
  const share = Math.min(100, Math.floor((100 * done) / total));
  return `${step}, ${grouped(done)} of ${counted(total, what)} (${share} %), ${grouped(rate)}/s${left}`;
};
export const grouped = (count: number): string => Math.round(count).toLocaleString('en-US');
