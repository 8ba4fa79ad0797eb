// How many tokens stay.
import { CompError } from "../errors.ts";
import type { VocabularySize } from "../options/vocabulary.ts";
import type { TokenOrder } from "./order.ts";

/** By how much a text that took no part may grow at `auto`. */
const MOST_GROWTH = 0.01;

/** Share of the vocabulary by which `auto` may keep more than it would have to. */
const STEP = 1 / 512;

/** By how much a text that took no part in an order grows, as a fraction, with so many of its tokens. */
export type GrowthAt = (size: number) => Promise<number>;

export interface SizeRequest {
  readonly order: TokenOrder;
  readonly asked: VocabularySize | undefined;
  /** Tokens of the whole vocabulary. */
  readonly total: number;
  readonly growthAt: GrowthAt;
  /** So many need not go: with them as much of the model goes as is to go; 0 where the vocabulary alone decides. */
  readonly enough: number;
}

/** @throws {CompError} "option" for fewer tokens than no text can do without */
export async function chooseSize({ order, asked, total, growthAt, enough }: SizeRequest): Promise<number> {
  const size = asked === "auto" ? await leastWithin(order, growthAt) : Math.min(order.used, bound(asked, order, total));
  return Math.min(order.total, Math.max(size, enough));
}

function bound(asked: number | undefined, { needed, used }: TokenOrder, total: number): number {
  if (asked === undefined) return used;
  const most = asked < 1 ? Math.round(asked * total) : asked;
  if (most >= needed) return most;
  throw new CompError("option", `--vocabulary-size ${asked} leaves ${most} tokens, and ${needed} have to stay`, {
    hint: "special and added tokens and those that spell all others always stay; give a larger size",
  });
}

/** Growth falls with the size, so that halving finds where it is small enough; to the last token would take long. */
export async function leastWithin({ needed, total }: TokenOrder, growthAt: GrowthAt): Promise<number> {
  let [low, high] = [needed, total];
  while (high - low > total * STEP) {
    const middle = Math.floor((low + high) / 2);
    if ((await growthAt(middle)) <= MOST_GROWTH) high = middle;
    else low = middle;
  }
  return high;
}
