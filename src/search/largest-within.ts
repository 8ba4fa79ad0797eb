// The largest cut whose cost stays within a limit, by few and expensive measurements.

/** A cost that grows as this power of the cut is the guess until two measurements tell better. */
const FIRST_POWER = 2;
const FIRST_CUT = 0.2;
const MOST_TRIALS = 10;

/**
 * Searches for the largest value up to `most` whose cost, as a multiple of the limit, is at most 1; between the two values that
 * enclose the answer the cost is taken for a power of the value.
 *
 * @param tolerance how far the answer may lie below the largest that would do
 * @param measure   the cost of a value
 * @returns the largest value that was measured to be within the limit; 0 when none was
 */
export async function largestWithin(
  most: number,
  tolerance: number,
  measure: (value: number) => Promise<number>,
): Promise<number> {
  const known: Measured[] = [];
  let [low, high] = [0, most];
  let isOpen = true; // the upper end itself is not measured yet
  for (let value = Math.min(most, FIRST_CUT), trial = 0; trial < MOST_TRIALS; trial++) {
    const cost = await measure(value);
    known.push({ value, cost });
    if (cost <= 1) low = value;
    else [high, isOpen] = [value, false];
    if (low === most || high - low <= tolerance) break;
    value = within(low, isOpen ? most + tolerance : high, tolerance, estimate(known));
    value = Math.min(value, most);
  }
  return low;
}

interface Measured {
  readonly value: number;
  readonly cost: number;
}

/** Where the cost would be 1, by the power that the two measurements nearest to the limit follow. */
function estimate(known: readonly Measured[]): number {
  const [nearest, next] = [...known].reverse().sort((a, b) => distance(a) - distance(b)) as [
    Measured,
    Measured | undefined,
  ];
  const fitted = next && Math.log(next.cost / nearest.cost) / Math.log(next.value / nearest.value);
  const power = fitted !== undefined && fitted > 0.5 && fitted < 10 ? fitted : FIRST_POWER;
  return nearest.value * nearest.cost ** (-1 / power);
}

const distance = ({ cost }: Measured): number => Math.abs(Math.log(Math.max(cost, Number.MIN_VALUE)));

/** The value, kept a tolerance away from both ends, or between them where they are near each other. */
function within(low: number, high: number, tolerance: number, value: number): number {
  const margin = Math.min(tolerance, (high - low) / 2);
  return Math.min(Math.max(Number.isFinite(value) ? value : high, low + margin), high - margin);
}
