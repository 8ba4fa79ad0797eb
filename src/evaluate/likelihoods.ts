// Log-likelihoods of continuations. The continuations of a question form a tree, so that what their texts share is computed once;
// logits exist only where a token of a continuation is predicted.
import type { Backend } from "../compute/backend.ts";
import { runHead } from "../forward/run/head.ts";
import { TreeRunner } from "../forward/run/tree-runner.ts";
import type { Model } from "../model/model.ts";
import { canShare, growTree, pathOf, type TokenTree, treeSize } from "../model/spec/token-trees.ts";
import type { EncodedRequest } from "./encode-requests.ts";

/** What a model says of a continuation. */
export interface Likelihood {
  /** Sum over its tokens, nats. */
  readonly logLikelihood: number;
  /** Whether each of its tokens is the likeliest in its place. */
  readonly isGreedy: boolean;
}

export interface LikelihoodOptions {
  /** Bytes of hidden states in memory at once; each group of questions reads all weights again. */
  readonly hiddenBytes: number;
  /** Called with how many layers are done, of how many. */
  readonly onLayer: (done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Some requests whose texts share a tree, and where their answers go. */
interface Planned {
  readonly tree: TokenTree;
  readonly requests: readonly EncodedRequest[];
  readonly answers: Likelihood[];
}

/** Of each request of each question, in their order. */
export async function logLikelihoods(
  backend: Backend,
  model: Model,
  questions: readonly (readonly EncodedRequest[])[],
  { hiddenBytes, onLayer, signal }: LikelihoodOptions,
): Promise<Likelihood[][]> {
  const plan = questions.map((requests) => planOf(model, requests));
  const groups = groupsOf(plan.flat(), Math.floor(hiddenBytes / (4 * model.spec.hiddenSize)));
  const runner = new TreeRunner(backend, model.spec);
  const total = groups.length * model.spec.layers.length;
  let done = 0;
  for (const group of groups) {
    const trees = group.map(({ tree }) => tree);
    const states = await runner.run(model, trees, { onLayer: () => onLayer(++done, total), signal });
    await answer(runner, model, group, states);
  }
  await runner.release();
  return plan.map((parts) => parts.flatMap(({ answers }) => answers));
}

/** One tree for a question; or one for each request, where the model cannot share what they begin with. */
function planOf(model: Model, requests: readonly EncodedRequest[]): Planned[] {
  const lengths = requests.map(({ inputs }) => inputs.length);
  const parts = canShare(model.spec, lengths) ? [requests] : requests.map((request) => [request]);
  return parts.map((part) => ({ tree: growTree(part.map(({ inputs }) => inputs)), requests: part, answers: [] }));
}

/** The longest first, so that those of about one length meet; no group has more than `most` tokens, if it has several trees. */
function groupsOf(plan: readonly Planned[], most: number): Planned[][] {
  const groups: Planned[][] = [];
  let tokens = Number.POSITIVE_INFINITY;
  for (const part of plan.toSorted((a, b) => treeSize(b.tree) - treeSize(a.tree))) {
    const size = treeSize(part.tree);
    if (tokens + size > most) {
      groups.push([]);
      tokens = 0;
    }
    groups.at(-1)!.push(part);
    tokens += size;
  }
  return groups;
}

/** @param states of each tree of the group after the last layer */
async function answer(
  { programs }: TreeRunner,
  model: Model,
  group: readonly Planned[],
  states: readonly Float32Array[],
): Promise<void> {
  const { hiddenSize } = model.spec;
  const targets = group.flatMap(({ requests }) => requests.flatMap((request) => request.targets));
  const hidden = new Float32Array(targets.length * hiddenSize);
  let at = 0;
  group.forEach(({ tree, requests }, i) => {
    requests.forEach((request, branch) => {
      for (const token of pathOf(tree, branch).slice(-request.targets.length))
        hidden.set(states[i]!.subarray(token * hiddenSize, (token + 1) * hiddenSize), hiddenSize * at++);
    });
  });
  const { logSumExp, targetLogit, top } = await runHead(programs, { model, hidden }, Int32Array.from(targets));
  let first = 0;
  for (const { requests, answers } of group)
    for (const request of requests) {
      const tokens = request.targets.map((_, i) => first + i);
      answers.push({
        logLikelihood: tokens.reduce((sum, token) => sum + targetLogit[token]! - logSumExp[token]!, 0),
        isGreedy: tokens.every((token) => top[token] === targets[token]),
      });
      first += request.targets.length;
    }
}
