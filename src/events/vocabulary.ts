// What cutting the vocabulary tells: what goes, and what texts then take.
import type { BeforeAfter } from "./common.ts";

/** A text before and after. */
export interface TextGrowth {
  readonly name: string;
  /** In UTF-8. */
  readonly bytes: number;
  /** That it takes. */
  readonly tokens: BeforeAfter;
}

export interface VocabularyResult {
  /** Tokens of the tokenizer. */
  readonly tokens: BeforeAfter;
  /** Rows of the embedding, which may be more or fewer. */
  readonly rows: BeforeAfter;
  readonly parameters: BeforeAfter;
  /** Of the weights as the source has them. */
  readonly bytes: BeforeAfter;
  readonly texts: readonly TextGrowth[];
  /** Parts of the texts that had no say in which tokens stay; absent where the texts are too short for it. */
  readonly heldOut?: TextGrowth;
  /** Mean probability that the whole model gives to the tokens that go, on windows of the texts. */
  readonly removedProbability?: number;
}

/** A size that the vocabulary could have. */
export interface VocabularyPoint {
  /** Tokens that stay. */
  readonly tokens: number;
  readonly parameters: number;
  /** Of the weights as the source has them. */
  readonly bytes: number;
  readonly texts: readonly TextGrowth[];
  /** Absent where the texts are too short for it. */
  readonly heldOut?: TextGrowth;
}

/** How much texts take with how many tokens. */
export interface VocabularyCurve {
  readonly model: string;
  /** Tokens that no text can do without. */
  readonly needed: number;
  /** Tokens that stay for all that the texts use, the largest of `points` unless `auto` keeps more. */
  readonly used: number;
  /** Tokens at which the held-out parts grow by at most 1 %. */
  readonly auto: number;
  /** Ascending. */
  readonly points: readonly VocabularyPoint[];
  readonly whole: VocabularyPoint;
}

/** The curve is one event, after seconds. */
export interface VocabularyEvent {
  readonly type: "done";
  readonly curve: VocabularyCurve;
}
