// What models answer to the probes, as lines of a terminal and rows of a table.
import type { ProbeFigures } from "../events/model.ts";
import type { ProbeOutcome } from "../events/prune.ts";
import { formatPercent } from "./format.ts";

const NAMES: Readonly<Record<keyof ProbeFigures, string>> = {
  arithmetic: "arithmetic",
  copying: "copying",
  code: "code",
  secondLanguage: "2nd language",
  json: "JSON",
  freshText: "no loops",
};

type Shares = readonly [name: string, ...shares: string[]][];

/** The probes that all of some models have answered, a share for each. */
function sharesOf(...answered: readonly ProbeFigures[]): Shares {
  const names = Object.keys(NAMES) as (keyof ProbeFigures)[];
  const common = names.filter((name) => answered.every((figures) => figures[name] !== undefined));
  return common.map((name) => [NAMES[name], ...answered.map((figures) => formatPercent(figures[name]!))]);
}

/** Of one model, a line each. */
export const renderProbes = (probes: ProbeFigures): string[] =>
  sharesOf(probes).map(([name, share]) => `${name.padEnd(16)}${share}`);

/** Before and after a pruning, a line each. */
export function renderProbeOutcome(outcome: ProbeOutcome | undefined): string[] {
  if (outcome === undefined) return [];
  if ("skipped" in outcome) return [`probes          not asked: ${outcome.skipped}`];
  const lines = sharesOf(outcome.before, outcome.after).map(
    ([name, before, after]) => `  ${name.padEnd(14)}${before} → ${after}`,
  );
  return [`probes          ${describeAmount(outcome.questions)}`, ...lines];
}

/** As the model card has it. */
export function probeSection(outcome: ProbeOutcome | undefined): string[] {
  if (outcome === undefined) return [];
  const title = ["## Probes", ""];
  if ("skipped" in outcome) return [...title, `Not asked: ${outcome.skipped}.`, ""];
  const rows = sharesOf(outcome.before, outcome.after).map((row) => `| ${row.join(" | ")} |`);
  const meaning =
    "Shares of right answers to small sets of COMP's own, for what perplexity on prose hides; the last one, where it is there, is the share of greedy text that does not repeat itself";
  return [
    ...title,
    `${meaning}. ${describeAmount(outcome.questions)}.`,
    "",
    "| probe | before | after |",
    "|---|---:|---:|",
    ...rows,
    "",
  ];
}

/** How far a share can be trusted: its standard error is largest where half of the answers are right. */
const describeAmount = (questions: number): string =>
  `${questions} questions each: a share has a standard error of up to ${(50 / Math.sqrt(questions)).toFixed(0)} points`;
