// Which tokens stay for some texts, and what these and others of the kind then take.
import type { TextGrowth } from "../events/vocabulary.ts";
import type { VocabularySize } from "../options/vocabulary.ts";
import type { TokenizerSource } from "../tokenizer/tokenizer-json.ts";
import { createCounter } from "./growth.ts";
import { createOrder, type TokenOrder } from "./order.ts";
import { chooseSize } from "./size.ts";
import { learntCounts, sumCounts, type TextUsage } from "./usage.ts";

export interface VocabularyRequest {
  readonly source: TokenizerSource;
  readonly texts: readonly TextUsage[];
  /** Ids that files or header name, and those of texts that the model is never without, such as its chat template. */
  readonly named: readonly number[];
  /** Tokens of the whole vocabulary. */
  readonly total: number;
  readonly size: VocabularySize | undefined;
  /** So many need not go; 0 where the vocabulary alone decides. */
  readonly enough: number;
}

export interface ChosenVocabulary {
  readonly kept: readonly number[];
  readonly texts: readonly TextGrowth[];
  /** What text that had no say takes: found with the tokens that the rest of the texts would have kept. */
  readonly heldOut: TextGrowth | undefined;
}

/** @throws {CompError} "option" as `chooseSize` @throws {Error} as `createOrder` */
export function chooseVocabulary(request: VocabularyRequest): ChosenVocabulary {
  const { source, texts, named, size, total, enough } = request;
  const orderOf = createOrder(source, named);
  const learnt = orderOf(sumCounts(texts, learntCounts));
  const heldOut = sumCounts(texts, (text) => text.heldOut.counts);
  const tokens = sum(heldOut);
  const after = (order: TokenOrder, count: number): number => createCounter(source.json, order.first(count))(heldOut);
  const growthAt = (count: number): number => after(learnt, count) / tokens - 1;
  const choice = { asked: size, total, growthAt, enough };
  const learntSize = chooseSize({ order: learnt, ...choice });
  const order = orderOf(sumCounts(texts, ({ counts }) => counts));
  const kept = order.first(size === "auto" ? learntSize : chooseSize({ order, ...choice }));
  const count = createCounter(source.json, kept);
  return {
    kept,
    texts: texts.map(({ name, bytes, tokens: before, counts }) => ({
      name,
      bytes,
      tokens: { before, after: count(counts) },
    })),
    heldOut:
      tokens === 0
        ? undefined
        : {
            name: "held-out parts",
            bytes: texts.reduce((all, text) => all + text.heldOut.bytes, 0),
            tokens: { before: tokens, after: after(learnt, learntSize) },
          },
  };
}

const sum = (counts: Uint32Array): number => counts.reduce((all, count) => all + count, 0);
