"""Time zones: accepted names, and the advice for all others."""

import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councilor_operator.schedule.finding import MESSAGE_LIMIT, TIME_ZONE_FIELD, ScheduleError
from councilor_operator.schedule.zones import resolve

ZONES = [name for name in zoneinfo.available_timezones() if name not in {"localtime", "posixrules", "Factory"}]


@pytest.mark.parametrize(
    "name",
    [
        *("UTC", "Europe/Berlin", "America/Argentina/ComodRivadavia", "America/North_Dakota/New_Salem", "GMT+0"),
        *("America/Port-au-Prince", "Antarctica/DumontDUrville", "EST5EDT", "Etc/UTC", "NZ-CHAT"),
    ],
)
def test_accepted(name: str) -> None:
    zone, warnings = resolve(name, "UTC")
    assert zone.key == name
    assert warnings == ()


@pytest.mark.parametrize(
    ("name", "default", "key"), [("", "Asia/Tokyo", "Asia/Tokyo"), (" \n", "UTC", "UTC"), (" UTC ", "x", "UTC")]
)
def test_default(name: str, default: str, key: str) -> None:
    assert resolve(name, default)[0].key == key


def test_a_wrong_default_is_named_as_such() -> None:
    with pytest.raises(ScheduleError, match=r"operator's default time zone .Europe/Berlim"):
        resolve("", "Europe/Berlim")


REFUSED = [
    ("Europe/Berlim", "Europe/Berlin"),
    ("europe/berlin", "Europe/Berlin"),
    ("EUROPE/BERLIN", "Europe/Berlin"),
    ("utc", "UTC"),
    ("Berlin", "Europe/Berlin"),
    ("Sao Paulo", "America/Sao_Paulo"),
    ("S\u00e3o Paulo", "America/Sao_Paulo"),
    ("America/Sao Paulo", "America/Sao_Paulo"),
    ("America/S\u00e3o_Paulo", "America/Sao_Paulo"),
    ("America/Saopaulo", "America/Sao_Paulo"),
    ("America\\Sao_Paulo", "America/Sao_Paulo"),
    ("America/Buenos Aires", "America/Buenos_Aires"),
    ("Brasilia", "America/Sao_Paulo"),
    ("Rio de Janeiro", "America/Sao_Paulo"),
    ("New York", "America/New_York"),
    ("Amerika/New_York", "America/New_York"),
    ("posix/Europe/Berlin", "Europe/Berlin"),
    ("Etc/GMT+03", "Etc/GMT+3"),
    ("Local", "UTC"),
    ("local", "UTC"),
    ("localtime", "UTC"),
    ("BRT", "America/Sao_Paulo"),
    ("brt", "America/Sao_Paulo"),
    ("CEST", "Europe/Berlin"),
    ("PST", "America/Los_Angeles"),
    ("IST", "Asia/Kolkata"),
    ("UTC-3", "America/Sao_Paulo"),
    ("GMT-03:00", "America/Sao_Paulo"),
    ("-0300", "America/Sao_Paulo"),
    ("UTC \u2212 3", "America/Sao_Paulo"),
    ("+03:00", "Europe/Moscow"),
    ("+05:30", "Asia/Kolkata"),
    ("UTC+0", "UTC"),
    ("Z", "UTC"),
    ("UTC+13", None),
    ("+99:99", None),
    ("E. South America Standard Time", None),
    ("America", None),
    ("America/", None),
    ("../etc/passwd", None),
    ("/etc/localtime", None),
    ("Factory", None),
    ("xyz", None),
    ("\x00", None),
    ("A" * 100_000, None),
    ("America/ThisIsMuchTooLong", None),
]


@pytest.mark.parametrize(("name", "place"), REFUSED)
def test_refused(name: str, place: str | None) -> None:
    with pytest.raises(ScheduleError) as caught:
        resolve(name, "UTC")
    error = caught.value
    assert error.field == TIME_ZONE_FIELD
    assert error.message.startswith('schedule.timeZone "')
    assert len(error.message) <= MESSAGE_LIMIT
    if place is None:
        assert error.suggestion is None
        assert "America/Sao_Paulo" in error.message
    else:
        assert error.suggestion is not None
        assert error.suggestion.time_zone == place
        assert place in error.message or place == "UTC"
        assert resolve(place, "UTC")[0].key == place


@pytest.mark.parametrize(
    ("name", "side"), [("Etc/GMT+3", "3 hours behind UTC"), ("Etc/GMT-10", "10 hours ahead of UTC")]
)
def test_the_reversed_sign_is_pointed_out(name: str, side: str) -> None:
    zone, (warning,) = resolve(name, "UTC")
    assert zone.key == name
    assert warning.code == "ReversedOffset"
    assert side in warning.message


def test_every_zone_of_the_database_is_accepted() -> None:
    assert len(ZONES) > 500
    assert [name for name in ZONES if resolve(name, "UTC")[0].key != name] == []


@given(
    st.one_of(
        st.text(max_size=40), st.sampled_from(ZONES).flatmap(lambda name: st.sampled_from([name[:-1], name + "x"]))
    )
)
def test_any_text_is_a_zone_or_refused(name: str) -> None:
    message = ""
    try:
        assert resolve(name, "UTC")[0].key in ZONES
    except ScheduleError as error:
        message = error.message
    assert len(message) <= MESSAGE_LIMIT
    assert message.isprintable()
