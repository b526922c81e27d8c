//! The same image under QEMU's microvm, on KVM where that may be used.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]

use serde_json::{Value, json};
use vial_runner::{Vial, text};

#[test]
fn an_image_answers_and_verifies_under_qemu_with_one_cpu_and_two() {
    let Some(vial) = Vial::from_env() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (model, image) = (folder.path().join("tiny.gguf"), folder.path().join("tiny.img"));
    std::fs::write(&model, vial_model::tiny::llama(1)).unwrap();
    vial.build(&model, &image).unwrap();
    for cpus in ["1", "2"] {
        let shape = ["--memory", "128M", "--cpus", cpus, "--vmm", "qemu"];
        let mut appliance = vial.start(&image, &shape).unwrap();
        assert_eq!(appliance.await_event("ready").unwrap()["event"], "ready", "{cpus} cpus");
        let body = json!({ "messages": [{ "role": "user", "content": "the" }], "max_tokens": 20 });
        let (status, answer) = appliance.send("/v1/chat/completions", &body).unwrap();
        assert_eq!(status, 200, "{answer}");
        let url = appliance.url("");
        let verify =
            [&["verify", &url, "--allow-simulated", "--json", "--image", text(&image).unwrap()], &shape[..]]
                .concat();
        let output = vial.run(&verify).unwrap();
        let verdict: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), &verdict["accepted"]), (Some(0), &json!(true)), "{verdict}");
        assert_eq!(appliance.stop().unwrap(), Some(0));
    }
}
