// What went of a vocabulary and what texts take since, as tables and lines.
import type { TextGrowth, VocabularyResult } from "../events/vocabulary.ts";
import { formatBytes, formatFigure, formatInteger, formatPercent } from "./format.ts";

/** What figures about predictions mean where the two models differ in vocabulary. */
export const OVER_KEPT_TOKENS = "over the tokens that stay, the dense model's probabilities renormalised";

/** By how much more tokens it takes, as a fraction. */
export const growthOf = ({ tokens }: TextGrowth): number => tokens.after / tokens.before - 1;

const perByte = ({ bytes, tokens }: TextGrowth, when: "before" | "after"): string =>
  formatFigure(tokens[when] / Math.max(1, bytes));

/** The texts, those parts last that had no say in which tokens stay. */
const allTexts = ({ texts, heldOut }: VocabularyResult): TextGrowth[] => [...texts, ...(heldOut ? [heldOut] : [])];

/** A line each: what goes, what it gives, what it costs. */
export function describeVocabulary(vocabulary: VocabularyResult): string[] {
  const { tokens, bytes, removedProbability: removed } = vocabulary;
  return [
    `${formatInteger(tokens.before)} → ${formatInteger(tokens.after)} tokens, ${formatBytes(bytes.before - bytes.after)} of weights less`,
    ...allTexts(vocabulary).map(
      (text) =>
        `${text.name}: ${perByte(text, "before")} → ${perByte(text, "after")} tokens a byte, ${formatPercent(growthOf(text))} more`,
    ),
    ...(removed === undefined
      ? []
      : [`the whole model gives those that go ${formatShare(removed)} of its probability`]),
  ];
}

/** As the model card has it. */
export function vocabularySection(vocabulary: VocabularyResult): string[] {
  const { tokens, bytes, removedProbability: removed } = vocabulary;
  const share = removed === undefined ? "" : ` The whole model gave them ${formatShare(removed)} of its probability.`;
  return [
    "## Vocabulary",
    "",
    `Of ${formatInteger(tokens.before)} tokens ${formatInteger(tokens.after)} are left, which took ${formatBytes(bytes.before - bytes.after)} from the source's weights.${share} A text whose tokens are all left has the same tokens as before; any other takes more of them.`,
    "",
    "| text | tokens a byte before | after | more |",
    "|---|---|---|---|",
    ...allTexts(vocabulary).map(
      (text) =>
        `| ${text.name} | ${perByte(text, "before")} | ${perByte(text, "after")} | ${formatPercent(growthOf(text))} |`,
    ),
    "",
  ];
}

/** Shares that matter may be far below a percent. */
const formatShare = (share: number): string => `${formatFigure(100 * share)} %`;
