// What models predict and how far apart they are, from logits in f64.
import { embed } from "../../src/forward/run/embed.ts";
import { type LayerRunner, runLayers } from "../../src/forward/run/layer-runner.ts";
import type { Model } from "../../src/model/model.ts";
import type { TokenWindows } from "../../src/model/spec/token-windows.ts";

/** Log-probabilities of all tokens at each place of the windows, by a llama. [tokens][vocabSize] */
export async function logProbabilities(runner: LayerRunner, model: Model, windows: TokenWindows): Promise<number[][]> {
  const states = await embed(model, windows);
  await runLayers(runner, model, states);
  return ofStates(model, states.all);
}

/** The same from hidden states after the last layer. [tokens, hiddenSize] */
export async function ofStates(model: Model, states: Float32Array): Promise<number[][]> {
  const { hiddenSize: size, normEpsilon } = model.spec;
  const [norm, head] = [await model.read("model.norm.weight"), await model.read("lm_head.weight")];
  return Array.from({ length: states.length / size }, (_, token) => {
    const x = states.subarray(size * token, size * (token + 1));
    const scale = Math.sqrt(x.reduce((sum, value) => sum + value ** 2, 0) / size + normEpsilon);
    const logits = Array.from({ length: head.length / size }, (__, id) =>
      x.reduce((sum, value, i) => sum + (value / scale) * norm[i]! * head[size * id + i]!, 0),
    );
    const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
    return logits.map((logit) => logit - total);
  });
}

/** KL(p ‖ q) of each place, nats. */
export const divergences = (p: readonly number[][], q: readonly number[][]): number[] =>
  p.map((row, token) => row.reduce((sum, log, id) => sum + Math.exp(log) * (log - q[token]![id]!), 0));

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
