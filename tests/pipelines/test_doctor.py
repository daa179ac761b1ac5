from contextlib import contextmanager

import pytest

from pipelines import cluster_doctor, doctor
from pipelines.cli import main
from pipelines.doctor import Finding
from pipelines.session import ClusterError


@contextmanager
def no_cluster(workers, decode_cpus):
    raise ClusterError("nobody answers: unset RAY_ADDRESS")
    yield


@pytest.mark.ray
def test_a_healthy_machine_is_told_so(ray_cluster, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert main(["doctor", "--out", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ok", name] for name in ("Python", "compute", "PyAV", "decord", "disk", "tracking", "Ray")
    ]
    assert list(tmp_path.iterdir()) == []


def test_trouble_is_named_with_its_remedy_and_the_rest_is_checked_all_the_same(tmp_path, monkeypatch, capsys):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{in_the_way}/below/mlflow.db")
    monkeypatch.setattr(doctor, "ray_session", no_cluster)
    monkeypatch.setattr(doctor, "available_decoders", lambda: ["decord"])
    assert main(["doctor", "--out", str(in_the_way / "below")]) == 1
    lines = {line.split()[1]: line for line in capsys.readouterr().out.splitlines()}
    assert lines["disk"].startswith("trouble")
    assert "choose another --out" in lines["disk"]
    assert lines["tracking"].startswith("trouble")
    assert lines["Ray"].startswith("trouble")
    assert "unset RAY_ADDRESS" in lines["Ray"]
    assert "not installed" in lines["PyAV"]
    assert lines["decord"].startswith("ok")


@pytest.mark.parametrize("words", [["--workers", "2"], ["--lanes", "2"], ["--device", "cpu"]])
def test_what_is_asked_of_a_cluster_needs_one(words, capsys):
    assert main(["doctor", *words]) == 2
    assert capsys.readouterr().err == f"error: {words[0]} asks something of a cluster: add --cluster\n"


@pytest.mark.parametrize("words", [["--workers", "0"], ["--lanes", "0"]])
def test_less_than_one_is_refused(words, capsys):
    assert main(["doctor", "--cluster", "true", *words]) == 2
    assert capsys.readouterr().err == f"error: {words[0]} must be at least 1: 0\n"


def test_a_cluster_that_does_not_answer_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cluster_doctor, "ray_session", no_cluster)
    assert main(["doctor", "--cluster", "true", "--out", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("trouble Ray      nobody answers: unset RAY_ADDRESS")
    assert [line.split()[0] for line in lines[:-1]] == ["ok"] * 6


def test_a_warning_is_shown_and_no_trouble(tmp_path, monkeypatch, capsys):
    found = [("clocks", Finding(True, "off", warns=True))]
    monkeypatch.setattr(cluster_doctor, "check_cluster", lambda config, folder: iter(found))
    assert main(["doctor", "--cluster", "true", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("warning clocks   off")
