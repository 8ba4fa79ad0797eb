"""Compares `comp eval --tasks` with lm-evaluation-harness, answer by answer, on the same local files.

    pip install lm-eval==0.4.13 torch transformers accelerate
    python bench/lm-eval-parity.py MODEL DATA [--limit N] [--tasks arc_easy,...]

MODEL is a folder that both can load; DATA holds the files as docs/evaluation.md lists them. Prints, for each task, the largest
difference of a log-likelihood and how many questions are answered differently, then the seconds of both, by the clock and of the
processor, comp's with the start of its process and the harness's without its imports, and the ratio of those by the clock; fails
when a difference exceeds 1e-3 or an answer differs. Prompts, tokenization and scores are the harness's own: only where it would download a data set is it given the
rows of the local file. Other work on the machine falls on one of the two alone: take the time when there is none.
"""
import argparse, csv, json, pathlib, resource, subprocess, sys, tempfile, time
import datasets, torch
from lm_eval import simple_evaluate

parser = argparse.ArgumentParser()
parser.add_argument("model"), parser.add_argument("data", type=pathlib.Path)
parser.add_argument("--limit", type=int, default=20)
parser.add_argument("--tasks", default="boolq,piqa,hellaswag,winogrande,arc_easy,arc_challenge,openbookqa,lambada_openai")
args = parser.parse_args()
TOLERANCE = 1e-3


def json_lines(name):
    return [json.loads(line) for line in (args.data / name).read_text("utf-8").splitlines() if line.strip()]


def arc(name):
    for row in json_lines(f"arc/ARC-{name}-Test.jsonl"):
        choices = row["question"]["choices"]
        lists = {"text": [c["text"] for c in choices], "label": [c["label"] for c in choices]}
        yield {"question": row["question"]["stem"], "choices": lists, "answerKey": row["answerKey"]}


def piqa():
    labels = (args.data / "piqa/dev-labels.lst").read_text().split()
    return [{**row, "label": int(label)} for row, label in zip(json_lines("piqa/dev.jsonl"), labels)]


def openbookqa():
    with open(args.data / "openbookqa/test.tsv", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            parts = row["Choices"].replace("(B)", "(A)").replace("(C)", "(A)").replace("(D)", "(A)").split("(A)")[1:]
            choices = {"text": [part.strip() for part in parts], "label": list("ABCD")}
            yield {"question_stem": row["Question Stem"], "choices": choices, "answerKey": row["Answer Key"]}


def rows_of(path, name):
    """The rows that the hub's data set of this name has in the split that is scored."""
    match path.split("/")[-1]:
        case "ai2_arc":
            return arc(name.removeprefix("ARC-"))
        case "piqa":
            return piqa()
        case "hellaswag":
            return [{**row, "label": str(row["label"])} for row in json_lines("hellaswag/hellaswag_val_1000.jsonl")]
        case "winogrande":
            return json_lines("winogrande/dev.jsonl")
        case "super_glue":
            return [{**row, "label": int(str(row["label"]).lower() == "true")} for row in json_lines("boolq/val.jsonl")]
        case "openbookqa":
            return openbookqa()
        case "lambada_openai":
            return json_lines("lambada/lambada_test.jsonl")
    sys.exit(f"no local rows for {path}")


def load_local(path, name=None, **_):
    split = datasets.Dataset.from_list(list(rows_of(path, name)))
    return datasets.DatasetDict({"validation": split, "test": split, "train": split})


def theirs():
    datasets.load_dataset = load_local
    torch.set_num_threads(2)
    result = simple_evaluate(
        model="hf", model_args=f"pretrained={args.model},dtype=float32", device="cpu", tasks=args.tasks.split(","),
        limit=args.limit, bootstrap_iters=0, log_samples=True)
    items = {}
    for task, samples in result["samples"].items():
        for sample in sorted(samples, key=lambda s: s["doc_id"]):
            said = [value[0] if isinstance(value, list) and len(value) == 1 else value for value in sample["filtered_resps"]]
            entry = {"logLikelihoods": [float(value[0]) for value in said], "correct": bool(sample["acc"])}
            if "acc_norm" in sample:
                entry["correctNormalised"] = bool(sample["acc_norm"])
            items.setdefault(task, []).append(entry)
    return items


def ours():
    items = {}
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/items.jsonl"
        command = ["node", str(pathlib.Path(__file__).parent.parent / "dist/cli/main.js"), "eval", args.model, "--tasks", args.tasks]
        subprocess.run([*command, "--task-data", str(args.data), "--limit", str(args.limit), "--items", file], check=True)
        for line in open(file, encoding="utf-8"):
            item = json.loads(line)
            items.setdefault(item["task"], []).append(item)
    return items


def seconds(who):
    use = resource.getrusage(who)
    return use.ru_utime + use.ru_stime


def timed(work, who):
    """What the work gives, its seconds by the clock, and those of the processor."""
    clock, processor = time.perf_counter(), seconds(who)
    result = work()
    return result, time.perf_counter() - clock, seconds(who) - processor


own, own_clock, own_processor = timed(ours, resource.RUSAGE_CHILDREN)
reference, reference_clock, reference_processor = timed(theirs, resource.RUSAGE_SELF)
failed = False
print(f"{'task':<16}{'questions':>10}{'largest difference':>20}{'other answers':>15}")
for task, expected in reference.items():
    pairs = list(zip(own[task], expected, strict=True))
    difference = max(abs(a - b) for x, y in pairs for a, b in zip(x["logLikelihoods"], y["logLikelihoods"], strict=True))
    others = sum(x["correct"] != y["correct"] or x.get("correctNormalised") != y.get("correctNormalised") for x, y in pairs)
    failed |= difference > TOLERANCE or others > 0
    print(f"{task:<16}{len(pairs):>10}{difference:>20.6f}{others:>15}")
print(f"seconds: comp {own_clock:.1f}, lm-evaluation-harness {reference_clock:.1f}")
print(f"processor seconds: comp {own_processor:.1f}, lm-evaluation-harness {reference_processor:.1f}")
print(f"comp takes {own_clock / reference_clock:.2f} of the harness's time")
sys.exit(failed)
