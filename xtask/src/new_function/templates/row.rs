    http(
        "{{name}}",
        ("{{method}}", "{{path}}"),
        "{{group}}",
        {{ROLE}},
        (200, Some("{{answer}}")),
        handler!({{snake}}),
        "{{summary}}",
    ){{exceptions}},
