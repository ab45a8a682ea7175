"""The order in which Hydra looks for configs."""

from scripts import composed

from litlab.project import CONF, Project, Searched, searched, searching


def own(folder):
    for group, name, text in (("optimizer", "adam", "lr: 7\n"), ("optimizer", "mine", "lr: 8\n")):
        (folder / "conf" / group).mkdir(parents=True, exist_ok=True)
        (folder / "conf" / group / f"{name}.yaml").write_text(text)
    return Project(folder)


def test_own_configs_come_first_or_last_and_only_while_a_command_runs(tmp_path):
    project = own(tmp_path)
    assert Searched.of(project, own_first=True).folders == [tmp_path / "conf", CONF]
    assert Searched.of(project, own_first=False).folders == [CONF, tmp_path / "conf"]
    with searching(Searched.of(project, own_first=True)):
        assert composed("optimizer=adam").optimizer.lr == 7
        assert composed("optimizer=mine").optimizer.lr == 8
        assert composed("optimizer=sgd").optimizer._target_ == "torch.optim.SGD"
    with searching(Searched.of(project, own_first=False)):
        assert composed("optimizer=adam").optimizer.lr == 1e-3
        assert composed("optimizer=mine").optimizer.lr == 8
    assert searched().folders == [CONF]
    assert composed("optimizer=adam").optimizer.lr == 1e-3
