// Calibration windows: fixed-length stretches of the token streams, one stream a file, drawn at random.
import { CompError } from "../errors.ts";
import { createRandom, type Random } from "../linalg/random.ts";
import type { CalibrationChoice } from "../method/method.ts";
import { widestMlp } from "../model/config/layer-sizes.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import { type TokenWindows, windowsBetween } from "../model/spec/token-windows.ts";

/** Tokens for each neuron of the widest layer, where nothing else is asked for: a refit has an unknown for each that stays. */
const TOKENS_PER_NEURON = 24;

/** Tokens by default at least, and at most, so that a wide model does not take a day. */
const LEAST_TOKENS = 16384;
const MOST_TOKENS = 65536;

/** How often a token may occur in the windows, on average; beyond it they say too little of the language. */
const MAX_REUSE = 4;

/** Calibration windows: as many as asked for, or what the widest layer needs. */
export function windowCount(
  { layers }: DecoderSpec,
  { samples, context }: Pick<CalibrationChoice, "samples" | "context">,
): number {
  if (samples !== undefined) return samples;
  const tokens = Math.min(MOST_TOKENS, Math.max(LEAST_TOKENS, TOKENS_PER_NEURON * widestMlp(layers)));
  return Math.ceil(tokens / context);
}

export interface WindowOptions {
  readonly count: number;
  /** Tokens of text in a window; BOS comes on top. */
  readonly length: number;
  readonly seed: number;
  /** Put before every window when given. */
  readonly bos?: number | undefined;
}

interface Position {
  readonly stream: number;
  readonly start: number;
}

/**
 * Random windows of the streams, in random order, the same for the same seed.
 *
 * Each stream gives the same number of windows as far as it is long enough, one shorter than a window gives none. The
 * windows of a stream do not overlap while its text lasts; then they overlap, and no two begin at the same token.
 *
 * @param streams token ids of each file
 * @throws {CompError} "calibration" when the streams are too short: a token would occur more than four times on average
 */
export function sampleWindows(streams: readonly ArrayLike<number>[], options: WindowOptions): TokenWindows {
  const random = createRandom(options.seed);
  const shares = shareOut(options, streams);
  const positions = streams.flatMap((ids, stream) =>
    starts(ids.length, options.length, shares[stream]!, random).map((start) => ({ stream, start })),
  );
  shuffle(positions, random);
  return gather(streams, positions, options);
}

/** Takes the last `heldOutCount` windows away from the others, for measuring what was not fitted to. */
export function splitWindows(
  windows: TokenWindows,
  heldOutCount: number,
): { development: TokenWindows; heldOut: TokenWindows } {
  if (!Number.isInteger(heldOutCount) || heldOutCount < 0 || heldOutCount >= windows.count) {
    throw new CompError("calibration", `cannot hold out ${heldOutCount} of ${windows.count} calibration windows`, {
      hint: "ask for more windows with --samples.",
    });
  }
  const developmentCount = windows.count - heldOutCount;
  return {
    development: windowsBetween(windows, 0, developmentCount),
    heldOut: windowsBetween(windows, developmentCount, windows.count),
  };
}

/** All windows of two sets of one length, the fewer spread evenly among the others. */
export function interleaveWindows(many: TokenWindows, few: TokenWindows): TokenWindows {
  const { length } = many;
  const count = many.count + few.count;
  const ids = new Int32Array(count * length);
  for (let row = 0, taken = 0; row < count; row++) {
    const isFew = Math.floor(((row + 1) * few.count) / count) > taken;
    const from = isFew ? few : many;
    const index = isFew ? taken++ : row - taken;
    ids.set(from.ids.subarray(index * length, (index + 1) * length), row * length);
  }
  return { ids, count, length };
}

/** How many windows each stream gives: even shares, and what a short one cannot give falls to the others. */
function shareOut({ count, length }: WindowOptions, streams: readonly ArrayLike<number>[]): number[] {
  const capacities = streams.map((ids) => capacity(ids.length, length));
  if (capacities.reduce((sum, windows) => sum + windows, 0) < count) throw tooLittle(count, length, streams);
  const shares = capacities.map(() => 0);
  let left = count;
  while (left > 0) {
    const open = shares.flatMap((share, stream) => (share < capacities[stream]! ? [stream] : []));
    const each = Math.max(1, Math.floor(left / open.length));
    for (const stream of open) {
      const more = Math.min(each, capacities[stream]! - shares[stream]!, left);
      shares[stream]! += more;
      left -= more;
    }
  }
  return shares;
}

/** Distinct windows that a stream can give without using its tokens more than MAX_REUSE times. */
function capacity(tokens: number, length: number): number {
  return Math.max(0, Math.min(tokens - length + 1, Math.floor((MAX_REUSE * tokens) / length)));
}

function tooLittle(count: number, length: number, streams: readonly ArrayLike<number>[]): CompError {
  const tokens = streams.reduce((sum, ids) => sum + ids.length, 0);
  const needed = Math.max(length, Math.ceil((count * length) / MAX_REUSE));
  const has = `the calibration text has ${tokens} tokens`;
  const wants = `${count} windows of ${length} need ${needed}, in stretches of ${length} or more`;
  return new CompError("calibration", `${has}; ${wants}`, {
    hint: "give more text with --calibration, or ask for less with --samples or --context.",
  });
}

/** Beginnings of `count` windows in a stream, ascending. */
function starts(tokens: number, length: number, count: number, random: Random): number[] {
  const slack = tokens - count * length;
  return slack >= 0 ? spacedStarts(slack, length, count, random) : overlappingStarts(tokens, length, count, random);
}

/** Windows with random gaps between them, `slack` tokens in all. */
function spacedStarts(slack: number, length: number, count: number, random: Random): number[] {
  const gaps = Array.from({ length: count }, () => random.nextInt(slack + 1)).sort((a, b) => a - b);
  return gaps.map((gap, i) => gap + i * length);
}

/** One window from each of `count` even parts of the possible beginnings. */
function overlappingStarts(tokens: number, length: number, count: number, random: Random): number[] {
  const beginnings = tokens - length + 1;
  const edge = (part: number): number => Math.floor((part * beginnings) / count);
  return Array.from({ length: count }, (_, part) => edge(part) + random.nextInt(edge(part + 1) - edge(part)));
}

/** Fisher and Yates. */
function shuffle(positions: Position[], random: Random): void {
  for (let i = positions.length - 1; i > 0; i--) {
    const j = random.nextInt(i + 1);
    [positions[i], positions[j]] = [positions[j]!, positions[i]!];
  }
}

function gather(
  streams: readonly ArrayLike<number>[],
  positions: readonly Position[],
  { length, bos }: WindowOptions,
): TokenWindows {
  const offset = bos === undefined ? 0 : 1;
  const rowLength = length + offset;
  const ids = new Int32Array(positions.length * rowLength);
  for (const [row, { stream, start }] of positions.entries()) {
    if (bos !== undefined) ids[row * rowLength] = bos;
    for (let i = 0; i < length; i++) ids[row * rowLength + offset + i] = streams[stream]![start + i]!;
  }
  return { ids, count: positions.length, length: rowLength };
}
