from litlab.prediction.evaluation_result import print_result


def test_the_table_names_the_folder_of_a_user(capsys):
    result = {"dataset": "image_folder", "split": "test", "images": 40, "metrics": {"test/acc": 0.5}}
    print_result(result, "Straßen")
    assert "Straßen, test" in capsys.readouterr().out
