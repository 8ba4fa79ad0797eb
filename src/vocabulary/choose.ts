// Which tokens stay for some texts, and what these and others of the kind then take.
import type { TextGrowth } from "../events/vocabulary.ts";
import type { VocabularySize } from "../options/vocabulary.ts";
import type { TokenizerSource } from "../tokenizer/tokenizer-json.ts";
import { createCounter } from "./growth.ts";
import { createOrder, type TokenOrder } from "./order.ts";
import { chooseSize, type GrowthAt, type SizeRequest } from "./size.ts";
import { learntCounts, sumCounts, type TextUsage } from "./usage.ts";

/** What is known of a tokenizer and of texts. */
export interface TextsAtHand {
  readonly source: TokenizerSource;
  readonly texts: readonly TextUsage[];
  /** Ids that files or header name, and those of texts that the model is never without, such as its chat template. */
  readonly named: readonly number[];
}

/** Tokens in the order in which texts want them, and what texts take with the first of them. */
export interface RankedVocabulary {
  /** By all of the texts. */
  readonly order: TokenOrder;
  /** By what of them is not held out. */
  readonly learnt: TokenOrder;
  textsWith(kept: readonly number[]): TextGrowth[];
  /** What text that had no say takes with so many of the learnt order; undefined where nothing is held out. */
  heldOutWith(size: number): TextGrowth | undefined;
}

/** @throws {Error} as `createOrder` */
export function rankVocabulary({ source, texts, named }: TextsAtHand): RankedVocabulary {
  const orderOf = createOrder(source, named);
  const learnt = orderOf(sumCounts(texts, learntCounts));
  const heldOut = sumCounts(texts, (text) => text.heldOut.counts);
  const before = heldOut.reduce((all, count) => all + count, 0);
  const bytes = texts.reduce((all, text) => all + text.heldOut.bytes, 0);
  const countWith = (kept: readonly number[]) => createCounter(source.json, kept);
  return {
    order: orderOf(sumCounts(texts, ({ counts }) => counts)),
    learnt,
    textsWith: (kept) => {
      const count = countWith(kept);
      return texts.map((text) => ({
        name: text.name,
        bytes: text.bytes,
        tokens: { before: text.tokens, after: count(text.counts) },
      }));
    },
    heldOutWith: (size) =>
      before === 0
        ? undefined
        : { name: "held-out parts", bytes, tokens: { before, after: countWith(learnt.first(size))(heldOut) } },
  };
}

export interface VocabularyRequest extends Pick<SizeRequest, "total" | "enough"> {
  readonly size: VocabularySize | undefined;
  readonly pause: Pause;
}

/** Comes between two pieces of work that never wait: lets what waits happen, and throws where the run is to stop. */
export type Pause = () => Promise<void>;

export interface ChosenVocabulary {
  readonly kept: readonly number[];
  readonly texts: readonly TextGrowth[];
  /** With the tokens that the rest of the texts would have kept. */
  readonly heldOut: TextGrowth | undefined;
}

/** @throws {CompError} "option" as `chooseSize` */
export async function chooseVocabulary(
  ranked: RankedVocabulary,
  request: VocabularyRequest,
): Promise<ChosenVocabulary> {
  const { order, learnt, textsWith, heldOutWith } = ranked;
  const { size, pause, ...limits } = request;
  const choice = { asked: size, ...limits, growthAt: heldOutGrowth(ranked, pause) };
  const learntSize = await chooseSize({ order: learnt, ...choice });
  const kept = order.first(size === "auto" ? learntSize : await chooseSize({ order, ...choice }));
  return { kept, texts: textsWith(kept), heldOut: heldOutWith(learntSize) };
}

/** By how much held-out text grows with so many tokens; without any it does not. */
export const heldOutGrowth =
  ({ heldOutWith }: RankedVocabulary, pause: Pause): GrowthAt =>
  async (size) => {
    await pause();
    const { before, after } = heldOutWith(size)?.tokens ?? { before: 1, after: 1 };
    return after / before - 1;
  };
