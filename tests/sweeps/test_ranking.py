"""The ranking of settings by validation, and the paired comparison of two of them."""

from dataclasses import replace

import pytest
from scipy import stats
from sweep_rows import run_row

from fastdigits import UserError
from fastdigits.sweeps.ranking import compared, left_out, pareto_front, ranked


def test_settings_are_ranked_by_the_mean_over_their_seeds():
    rows = [
        *(run_row(accuracy, seed, {"lr": 0.1}) for seed, accuracy in enumerate([0.91, 0.99])),
        *(run_row(accuracy, seed, {"lr": 0.2}) for seed, accuracy in enumerate([0.96, 0.96])),
        run_row(0.98, 0, {"lr": 0.3}),
    ]
    first, second, third = ranked(rows)
    assert [one.settings for one in (first, second, third)] == [{"lr": 0.3}, {"lr": 0.2}, {"lr": 0.1}]
    assert [one.place for one in (first, second, third)] == [1, 2, 3]
    assert third.accuracy == pytest.approx({"mean": 0.95, "std": 0.08 / 2**0.5, "min": 0.91, "max": 0.99})
    assert [one.seeds for one in (first, second, third)] == [1, 2, 2]


def test_the_spread_of_a_single_run_is_unknown():
    assert ranked([run_row(0.98)])[0].accuracy["std"] is None


def test_a_test_result_does_not_count():
    test = {"images": 100, "correct": 100, "accuracy": 1.0, "loss": 0.0, "finished": ""}
    rows = [replace(run_row(0.9, 0, {"lr": 0.1}), test=test), run_row(0.95, 0, {"lr": 0.2})]
    assert ranked(rows)[0].settings == {"lr": 0.2}


def test_failed_and_pruned_runs_are_in_no_mean():
    rows = [
        run_row(0.9, 0, {"lr": 0.1}),
        run_row(0.1, 1, {"lr": 0.1}, status="failed"),
        run_row(0.99, 0, {"lr": 0.2}, status="pruned"),
        run_row(None, 0, {"lr": 0.3}, status="failed"),
        run_row(None, 0, {"lr": 0.4}),
    ]
    (only,) = standings = ranked(rows)
    assert (only.accuracies, only.failed) == ([0.9], 1)
    assert left_out(rows, standings) == [
        "1 setting is not ranked, because all runs failed",
        "1 setting is not ranked, because no run has validation images",
        "1 setting is not ranked, because all runs were stopped early",
    ]


def test_the_difference_is_that_of_pairs_with_its_t_interval():
    ones, others = [0.98, 0.985, 0.991, 0.97], [0.97, 0.98, 0.98, 0.968]
    rows = [run_row(value, seed, {"lr": 0.1}) for seed, value in enumerate(ones)]
    rows += [run_row(value, seed, {"lr": 0.2}) for seed, value in enumerate([*others, 0.1])]
    first, second = ranked(rows)
    found = compared(first, second)
    expected = stats.ttest_rel(ones, others)
    assert len(found.differences) == 4
    assert found.difference == pytest.approx(0.007)
    assert found.interval_95 == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert compared(second, first).difference == -found.difference


def test_pairs_have_the_same_seed_and_fold():
    rows = [run_row(0.9 + 0.01 * fold, 0, {"lr": 0.1}, fold=fold) for fold in (1, 2)]
    rows += [run_row(0.8 + 0.02 * fold, 0, {"lr": 0.2}, fold=fold) for fold in (1, 2)]
    first, second = ranked(rows)
    assert compared(first, second).differences == pytest.approx([0.09, 0.08])
    assert (first.seeds, first.folds) == (1, 2)


def test_the_interval_of_a_single_pair_is_unknown():
    first, second = ranked([run_row(0.9, 0, {"lr": 0.1}), run_row(0.8, 0, {"lr": 0.2})])
    assert compared(first, second).interval_95 is None


def test_settings_without_a_common_seed_cannot_be_compared():
    first, second = ranked([run_row(0.9, 0, {"lr": 0.1}), run_row(0.8, 1, {"lr": 0.2})])
    with pytest.raises(UserError, match="places 1 and 2 have no seed in common"):
        compared(first, second)


def test_none_is_both_faster_and_better_than_the_pareto_front():
    points = {0.1: (0.9, 1.0), 0.2: (0.95, 2.0), 0.3: (0.94, 3.0), 0.4: (0.99, 4.0), 0.5: (0.9, 1.5), 0.6: (0.95, 5.0)}
    rows = [run_row(accuracy, 0, {"lr": lr}, train_s=seconds) for lr, (accuracy, seconds) in points.items()]
    assert [one.settings["lr"] for one in pareto_front(ranked(rows))] == [0.1, 0.2, 0.4]
