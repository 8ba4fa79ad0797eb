import { expect, test } from "vitest";
import { renderComparison } from "../../src/report/comparison.ts";
import { comparison } from "../helpers/comparison.ts";

test("a comparison is a table for each text, which says in words what collapsed and what failed", () => {
  expect(renderComparison(comparison)).toMatchInlineSnapshot(`
    "# Presets on tiny

    Made by comp 0.1.0, seed 0, 2 processor cores (\`comp compare\`). Calibrated on as many windows of 256 tokens as the model's width needs, of mix.txt; judged on 16 windows of 512 tokens of each text. "Removed" counts all parameters. Time and memory are those of pruning, each in a process of its own.

    ## notes.txt

    | preset | removed | parameters | weights | perplexity | KL divergence | same choice | time | memory |  |
    | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |
    | dense | 0 % | 134,515,008 | 269.0 MB | 20 | 0 | 100 % |  |  |  |
    | flap | 20.3 % | 107,612,006 | 215.2 MB | 30.44 | 0.4021 | 74.0 % | 2 min 31 s | 812.3 MB |  |
    | random | 20.3 % | 107,612,006 | 215.2 MB | 4250 | 5.31 | 2.0 % | 2 min 31 s | 812.3 MB | collapsed: 213 times the dense perplexity |
    | llm-pruner | 20.0 % | – | – | – | – | – | – | – | failed: a sparsity of 0.2 cannot be reached |
    "
  `);
});

test("two texts of one name are two tables", () => {
  const cells = comparison.cells.map((cell) =>
    "failure" in cell ? cell : { ...cell, texts: [cell.texts[0]!, { ...cell.texts[0]!, perplexity: 55.5 }] },
  );
  const [, first, second] = renderComparison({ ...comparison, cells }).split("## notes.txt");
  expect(first).toContain("| 30.44 |");
  expect(second).toContain("| 55.5 |");
});

test("where everything failed there is a list of why", () => {
  const cells = comparison.cells.filter((cell) => "failure" in cell);
  expect(renderComparison({ ...comparison, cells })).toContain(
    "- llm-pruner, 20.0 %: a sparsity of 0.2 cannot be reached",
  );
});

test("beside quantizations everything stands in one table by size, and the last line says what to take", () => {
  const [judged] = comparison.cells.flatMap((cell) => ("texts" in cell ? cell.texts : []));
  const at = (perplexity: number, klDivergence: number) => [{ ...judged!, perplexity, klDivergence }];
  const quantized = [
    { quantized: "q8_0" as const, bytes: 144.8e6, texts: at(20.1, 0.001) },
    { quantized: "q4_k_m" as const, bytes: 105.5e6, texts: at(21, 0.05) },
    { quantized: "q2_k" as const, bytes: 88.2e6, texts: at(900, 4) },
  ];
  const [, table] = renderComparison({ ...comparison, quantized }).split("## By size");
  expect(table).toMatchInlineSnapshot(`
    "

    Divergences and bits are means over the texts; quantizations are plain, without importance, and have the size of their GGUF file.

    | model | size | of the dense | KL divergence | bits per byte | best at its size |
    | --- | ---: | ---: | ---: | ---: | :---: |
    | dense | 269.0 MB | 100.0 % | 0 | 1.198 | ● |
    | flap at 20.0 % | 215.2 MB | 80.0 % | 0.4021 | 1.2 |  |
    | random at 20.0 % | 215.2 MB | 80.0 % | 5.31 | 1.2 | collapsed |
    | q8_0 | 144.8 MB | 53.8 % | 0.001 | 1.2 | ● |
    | q4_k_m | 105.5 MB | 39.2 % | 0.05 | 1.2 | ● |
    | q2_k | 88.2 MB | 32.8 % | 4 | 1.2 | collapsed |

    Do not prune, quantize: take the dense model where 269.0 MB fit, the dense model in q8_0 from 144.8 MB, the dense model in q4_k_m from 105.5 MB; nothing here is of use below 105.5 MB.
    "
  `);
});

test("tasks are columns of accuracy, empty where a model was not asked", () => {
  const tasks = { piqa: { acc: 0.6125, accStderr: 0.0345, n: 200 }, boolq: { acc: 0.5, accStderr: 0.0354, n: 200 } };
  const [first] = comparison.cells;
  const options = { ...comparison.options, tasks: "piqa,boolq", limit: 200 };
  const asked = { ...comparison, options, dense: { ...comparison.dense, tasks }, cells: [first!] };
  const lines = renderComparison(asked).split("\n");
  expect(lines).toContain(
    "| model | size | of the dense | KL divergence | bits per byte | piqa | boolq | best at its size |",
  );
  expect(lines).toContain("| dense | 269.0 MB | 100.0 % | 0 | 1.052 | 61.3 ± 3.5 | 50.0 ± 3.5 | ● |");
  expect(lines).toContain("| flap at 20.0 % | 215.2 MB | 80.0 % | 0.4021 | 1.2 | – | – | ● |");
  expect(lines.join(" ")).toContain("in percent ± a standard error, of the first 200 questions.");
});
