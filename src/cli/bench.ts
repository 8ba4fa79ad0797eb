// comp bench MODEL MODEL: the speed of two models, such as one before and after pruning.
import * as z from "zod";
import type { BenchResult, EngineResult, Speed, Spread } from "../events/bench.ts";
import { BenchOptions } from "../options/bench.ts";
import { formatBytes, formatFigure, formatInteger, formatSeconds } from "../report/format.ts";
import type { Command, CommandContext } from "./command.ts";
import { createProgress } from "./progress.ts";

type BenchFlags = BenchOptions & { json: boolean };

export const benchCommand: Command = {
  name: "bench",
  summary: "measure the speed and memory of two models in turn",
  models: 2,
  flags: BenchOptions.extend({
    json: z.boolean().default(false).describe("print all measurements and the ratios as one line of JSON"),
  }),
  examples: ["comp bench ./SmolLM2-135M ./SmolLM2-135M-pruned", "comp bench model.gguf model-pruned.gguf --tokens 128"],
  run: runBench,
};

async function runBench(
  model: string,
  { json, ...options }: BenchFlags,
  { library, screen, signal, others }: CommandContext,
): Promise<void> {
  const showStage = createProgress(screen, () => performance.now() / 1000);
  try {
    for await (const event of library.bench({ ...options, model, other: others[0]!, signal })) {
      if (event.type === "stage") showStage(event);
      if (event.type !== "done") continue;
      if (json) screen.print(JSON.stringify(event.result));
      else for (const line of renderBench(event.result)) screen.print(line);
    }
  } finally {
    screen.live("");
  }
}

export function renderBench(result: BenchResult): string[] {
  const { models, engines, left, promptTokens, tokens, threads, seconds } = result;
  const [first, second] = models;
  const repetitions = engines[0]?.speeds[0].length ?? 0;
  return [
    ...models.map(({ model, bytes }, i) => `${"AB"[i]}               ${model}, weights of ${formatBytes(bytes)}`),
    row("", ["A", "B", "B / A", "of all repetitions"]),
    row("weights", [formatBytes(first.bytes), formatBytes(second.bytes), formatRatio(second.bytes / first.bytes), ""]),
    ...engines.flatMap(engineRows),
    ...left.map(({ engine, reason }) => `${engine.padEnd(16)}not asked: ${reason}`),
    `${formatInteger(promptTokens)} tokens of prompt, ${formatInteger(tokens)} generated, ${repetitions} times each in turn on ${threads} threads, ${formatSeconds(seconds)}`,
  ];
}

const FIGURES: readonly { figure: keyof Speed; name: string; format: (value: number) => string }[] = [
  { figure: "prefill", name: "prefill", format: (value) => `${formatFigure(value)}/s` },
  { figure: "decode", name: "decode", format: (value) => `${formatFigure(value)}/s` },
  { figure: "peakBytes", name: "peak memory", format: formatBytes },
];

const engineRows = ({ engine, speeds, ratios }: EngineResult): string[] => [
  `in ${engine}`,
  ...FIGURES.map(({ figure, name, format }) => {
    const [a, b] = speeds.map((each) => format(middle(each.map((speed) => speed[figure]))));
    return row(`  ${name}`, [a!, b!, formatRatio(ratios[figure].median), formatRange(ratios[figure])]);
  }),
];

const row = (name: string, cells: readonly string[]): string =>
  `${name.padEnd(16)}${cells.map((cell) => cell.padEnd(12)).join("")}`.trimEnd();

const formatRatio = (ratio: number): string => ratio.toFixed(3);
const formatRange = ({ least, most }: Spread): string => `${formatRatio(least)} to ${formatRatio(most)}`;

/** Of measurements one after another, the one in the middle. */
const middle = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[(values.length - 1) >> 1]!;
