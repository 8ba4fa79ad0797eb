// What went of a vocabulary and what texts take since, as tables and lines.
import type { TextGrowth, VocabularyCurve, VocabularyResult } from "../events/vocabulary.ts";
import { formatBytes, formatFigure, formatInteger, formatPercent } from "./format.ts";

/** What figures about predictions mean where the two models differ in vocabulary. */
export const OVER_KEPT_TOKENS = "over the tokens that stay, the dense model's probabilities renormalised";

/** By how much more tokens it takes, as a fraction. */
export const growthOf = ({ tokens }: TextGrowth): number => tokens.after / tokens.before - 1;

const perByte = ({ bytes, tokens }: TextGrowth, when: "before" | "after"): string =>
  formatFigure(tokens[when] / Math.max(1, bytes));

/** The texts, those parts last that had no say in which tokens stay. */
const allTexts = ({ texts, heldOut }: VocabularyResult): TextGrowth[] => [...texts, ...(heldOut ? [heldOut] : [])];

/** What goes, and what that gives. */
export const describeTokens = ({ tokens, bytes }: VocabularyResult): string =>
  `${formatInteger(tokens.before)} → ${formatInteger(tokens.after)} tokens, ${formatBytes(bytes.before - bytes.after)} of weights less`;

/** What each text then takes, a line each. */
export const describeTexts = (vocabulary: VocabularyResult): string[] =>
  allTexts(vocabulary).map(
    (text) =>
      `${text.name}: ${perByte(text, "before")} → ${perByte(text, "after")} tokens a byte, ${formatPercent(growthOf(text))} more`,
  );

/** What the whole model thinks of the tokens that go. */
export const describeRemoved = (share: number): string =>
  `the whole model gives those that go ${formatShare(share)} of its probability`;

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

const CURVE_COLUMNS = ["tokens", "parameters", "weights"];

/** How much texts take with so many tokens, a row for each size. */
export function renderVocabularyCurve({ points, whole, auto }: VocabularyCurve): string[] {
  const texts = points[0]?.texts.map(({ name }) => name) ?? [];
  const header = [...CURVE_COLUMNS, ...texts, ...(points[0]?.heldOut ? ["held-out parts"] : [])];
  const rows = [...points, whole].map((point) => [
    formatInteger(point.tokens),
    formatInteger(point.parameters),
    formatBytes(point.bytes),
    ...[...point.texts, ...(point.heldOut ? [point.heldOut] : [])].map((text) => formatPercent(growthOf(text))),
  ]);
  const line = (cells: readonly string[], remark = ""): string =>
    `| ${cells.map((cell, i) => cell.padStart(header[i]!.length)).join(" | ")} | ${remark} |`;
  const remarks = (tokens: number, i: number): string =>
    i === points.length ? "all" : tokens === auto ? "auto: held-out parts grow by at most 1 %" : "";
  return [
    line(header),
    `|${header.map((name) => `${"-".repeat(name.length + 1)}:`).join("|")}|---|`,
    ...rows.map((row, i) => line(row, remarks(points[i]?.tokens ?? whole.tokens, i))),
  ];
}

/** Shares that matter may be far below a percent. */
const formatShare = (share: number): string => `${formatFigure(100 * share)} %`;
