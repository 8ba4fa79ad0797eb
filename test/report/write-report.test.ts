import { expect, test } from "vitest";
import { renderPruningJson } from "../../src/report/write-report.ts";
import { pruneResult } from "../helpers/prune-result.ts";

const text = renderPruningJson(pruneResult);

test("the record keeps options, fingerprint, kept indices and figures", () => {
  expect(JSON.parse(text)).toMatchObject({
    source: { name: "tiny", fingerprint: "ab12" },
    options: { sparsity: 0.2, criterion: "loss", recovery: "dense-target", seed: 0 },
    layersRemoved: [1],
    layers: [{ index: 0, kept: [0, 2, 3], errorBefore: 0.3124 }],
    quality: { klDivergence: 0.40212 },
  });
});

test("indices stand on one line", () => expect(text).toContain('"kept": [ 0, 2, 3 ]'));

test("no path of the machine is recorded", () => expect(text).not.toContain("/home/"));
