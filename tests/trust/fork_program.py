"""Fork in several ways after loading a network, and print what the children answer as JSON.

The answers are hashes of probabilities, or the type and text of the error. Numba's threading layer is that of the
environment.
"""

import hashlib
import json
import os
import signal
import threading
from multiprocessing import get_context

from fastdigits import ops
from fastdigits.data import load_part
from fastdigits.inference.recognizer import Recognizer
from fastdigits.ops.runtime import pool

IMAGES, FORKS, LIMIT_S = 40, 5, 200


def main() -> None:
    images = load_part("mnist", "test")[0][:IMAGES]
    recognizer = Recognizer(device="cpu")
    on_a_gpu = pool.in_one_process(lambda: "answer")

    def predict(count: int = IMAGES) -> str:
        return hashlib.sha256(recognizer.class_probabilities(images[:count]).tobytes()).hexdigest()

    found = {"before the first kernel": [forked(predict)]}
    expected, alone = predict(), predict(1)
    found["after it"] = [forked(predict) for _ in range(2)]
    found["one picture"] = ["right" if forked(lambda: predict(1)) == alone else "wrong"]
    found["a grandchild"] = [forked(lambda: forked(predict))]
    found["a thread of the child"] = [forked(lambda: in_a_thread(predict))]
    found["multiprocessing"] = in_pool(predict)
    found["a new network"] = [forked(lambda: predict_anew(images))]
    found["GPU"] = [forked(on_a_gpu), on_a_gpu()]
    stop, answers = threading.Event(), []

    def keep_predicting() -> None:
        while not stop.is_set():
            answers.append(predict())

    threads = [threading.Thread(target=keep_predicting) for _ in range(2)]
    for thread in threads:
        thread.start()
    found["while threads predict"] = [forked(predict) for _ in range(FORKS)]
    stop.set()
    for thread in threads:
        thread.join()
    found["the threads"] = answers
    found["after they ended"] = [forked(predict)]
    found["from a thread"] = [in_a_thread(lambda: forked(predict))]
    found["the parent"] = [predict()]
    named = {way: sorted({"right" if a == expected else a for a in answers}) for way, answers in found.items()}
    print(json.dumps({"layer": pool.layer(), **named}))


def answer(function) -> str:
    try:
        return function()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def forked(function) -> str:
    """Return the answer of a function in a forked process, which ends after LIMIT_S if it hangs."""
    read, write = os.pipe()
    if not (child := os.fork()):
        signal.alarm(LIMIT_S)
        os.write(write, answer(function).encode())
        os._exit(0)
    os.close(write)
    with open(read, encoding="utf8") as file:
        text = file.read()
    _, status = os.waitpid(child, 0)
    return text if status == 0 else f"status {status}"


def in_a_thread(function) -> str:
    answers = []
    thread = threading.Thread(target=lambda: answers.append(answer(function)))
    thread.start()
    thread.join()
    return answers[0]


TASK = []  # what the processes of a pool inherit


def run_task(_number: int) -> str:
    return TASK[-1]()


def in_pool(function) -> list[str]:
    TASK.append(function)
    with get_context("fork").Pool(2) as workers:
        try:
            return workers.map_async(run_task, range(4)).get(LIMIT_S)
        except Exception as error:
            return [f"{type(error).__name__}: {error}"]


def predict_anew(images) -> str:
    relu = ops.load("cpu").relu_forward
    x = images[0].astype("float32").reshape(-1, ops.load("cpu").lanes)
    relu(x, y := x.copy())
    return "right" if (x == y).all() else "wrong"


if __name__ == "__main__":
    main()
