import pytest

from fastdigits.data.augmentation import EFFECTS, parse_effects
from fastdigits.errors import UserError
from fastdigits.ops.batch import NO_EFFECTS, Effects


def test_every_effect_has_a_name():
    assert [effect.field for effect in EFFECTS.values()] == list(Effects._fields)


def test_an_empty_text_has_no_effects():
    assert parse_effects("") == NO_EFFECTS
    assert not any(NO_EFFECTS)


def test_effects_in_any_order_and_with_spaces():
    expected = Effects(shift_px=2.0, rotate_deg=10.5, elastic_px=0.5, erase_px=4)
    assert parse_effects("shift=2,rotate=10.5,elastic=.5,erase=4") == expected
    assert parse_effects(" erase = 4, elastic=5e-1 ,rotate=10.5,shift=2.0,") == expected


@pytest.mark.parametrize("name", EFFECTS)
def test_an_effect_is_limited_to_its_maximum(name):
    effect = EFFECTS[name]
    assert getattr(parse_effects(f"{name}={effect.maximum}"), effect.field) == effect.maximum
    with pytest.raises(UserError, match=f"{name} takes a number from 0 to {effect.maximum} "):
        parse_effects(f"{name}={effect.maximum * 1.01}")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rot=10", "augment: there is no effect 'rot'; choose among shift, rotate, scale"),
        ("flip", "no effect 'flip'"),
        ("=3", "no effect ''"),
        ("shift=1,shift=2", "shift is given twice"),
        ("shift", "shift takes a number from 0 to 100 .*, not ''"),
        ("shift=-1", "not '-1'"),
        ("shift=nan", "not 'nan'"),
        ("shift=inf", "not 'inf'"),
        ("noise=much", "noise takes a number .*, not 'much'"),
        ("erase=2.5", "erase takes a number .*whole pixels.*, not '2.5'"),
        ("shift=1=2", "not '1=2'"),
    ],
)
def test_invalid_effects_are_refused(text, says):
    with pytest.raises(UserError, match=says) as caught:
        parse_effects(text)
    assert str(caught.value).endswith(".")
